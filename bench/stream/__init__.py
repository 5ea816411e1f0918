"""What `make bench-stream` measures: Plumbline's worker and its peers on one broker, with the same events and the same step.

Each arm (arms/) is a process of its own that runs alone, reads all the events of its topics and prints marks
(meter.py): how many it has applied, when, and for how much processor time. measure.py starts the services and takes
the arms in turn, latency.py times the way from an event to its webhook, report.py writes what came out.

Rules:
1. The same bytes in the same topics, and the same decoding and detectors step (step.py), in every arm but the two that
   read or decode alone.
2. A peer is run the way its own documentation recommends. What it is spared is said in the report, never what it lacks.
3. An arm that has not applied every event exactly once has measured nothing: the run ends with an error.
"""
