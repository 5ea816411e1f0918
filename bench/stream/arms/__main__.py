"""One process of one arm: python -m bench.stream.arms JOB, with the job as JSON. It runs until it is ended."""

from __future__ import annotations

import importlib
import sys

import msgspec

from bench.stream.arms import ARMS
from bench.stream.job import Job

if __name__ == "__main__":
    job = msgspec.json.decode(sys.argv[1], type=Job)
    del sys.argv[1:]  # some peers read it
    importlib.import_module(ARMS[job.arm][0]).run(job)
