"""Every scenario of the simulation, several seeds: what the drift signals find, how soon, and how soon they could have.

    python -m bench.scenarios [NAME ...] [--signals S,S] [--seeds 20] [--processes 2] [--write docs/detection.md]

A run is one scenario and seed: it is simulated, replayed in memory with the sample ICP file and the default settings, and
its alerts are set against the truth. optimum.py says what "could have" means.
"""
