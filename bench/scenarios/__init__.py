"""Every scenario of the simulation, several seeds: what the drift signals find, how soon, and how soon they could have.

    python -m bench.scenarios [NAME ...] [--signals S,S] [--seeds 20] [--jobs 2] [--results FILE] [--write docs/detection.md]

A run is one scenario and seed: it is simulated, replayed in memory with the sample ICP file and the default settings, and
its alerts are set against the truth. optimum.py says what "could have" means. All of them take hours: with --results each
run is kept in a file (results.py) as soon as it ends, and --from-results makes the page from those that are there.
"""
