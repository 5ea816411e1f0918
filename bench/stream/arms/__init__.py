"""The arms of the benchmark: one module each with ``run(job)``, imported in the arm's own process alone."""

from __future__ import annotations

ARMS = {
    "fetch": ("bench.stream.arms.reading", "fetch alone"),
    "decode": ("bench.stream.arms.reading", "fetch and decode alone"),
    "step": ("bench.stream.arms.reading", "fetch, decode and step, no engine"),
    "plumbline": ("bench.stream.arms.plumbline_worker", "Plumbline worker"),
    "bytewax": ("bench.stream.arms.bytewax_flow", "Bytewax"),
    "quix": ("bench.stream.arms.quix_app", "Quix Streams"),
    "faust": ("bench.stream.arms.faust_agent", "Faust, agent"),
    "faust-table": ("bench.stream.arms.faust_agent", "Faust, agent with a table"),
}
"""arm -> (module, what a reader calls it)"""
