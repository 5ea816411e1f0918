"""Runs a service of the command line until SIGINT or SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

from streams.logs import configure_logs


def configure_service_logs(json_logs: bool | None) -> None:
    """Lines as JSON unless standard error is a terminal, or as asked. What Kafka's clients log of lost connections, once
    for each try, the services say themselves, once."""
    configure_logs(as_json=not sys.stderr.isatty() if json_logs is None else json_logs)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    logging.getLogger("kafka").setLevel(logging.CRITICAL)


def run_until_signal(run: Callable[[], Coroutine[Any, Any, None]], stop: Callable[[], object]) -> None:
    """``run`` makes the coroutine; ``stop`` is called on the event loop's thread at the first signal.

    An error of ours that ends a task group is raised as itself.
    """

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop)
        try:
            await run()
        except BaseExceptionGroup as group:
            if len(group.exceptions) == 1:
                raise group.exceptions[0] from None
            raise

    uvloop.run(main())
