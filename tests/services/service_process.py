"""What a service that tests start has in common, whether a process or a container: it starts, ends, freezes, thaws."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from tests.services.waiting import wait_until

START_LIMIT_S = 90


class Service(Protocol):
    """A server that can be put through what servers go through."""

    def start(self) -> None:
        """Starts it, again after ``kill`` or ``stop``; returns when it takes requests."""
        ...

    def stop(self) -> None:
        """Ends it in order."""
        ...

    def kill(self) -> None:
        """Ends it as a power cut would (but what it has written to files stays)."""
        ...

    def freeze(self) -> None:
        """Holds it still, connections open, until ``thaw``."""
        ...

    def thaw(self) -> None: ...


class ServiceProcess:
    """A program that says ``ready`` in its output when it takes requests; its output goes to ``output``."""

    def __init__(self, name: str, command: Sequence[str], output: Path, *, ready: str) -> None:
        self._name = name
        self._command = command
        self._output = output
        self._ready = ready
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it, again after ``kill`` or ``stop``; returns when it takes requests."""
        assert self._process is None, "it runs already"
        with self._output.open("ab") as output:
            begun = output.tell()
            process = self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for pytest, which then ends it
            )
        try:
            _await(
                lambda: self._output.read_bytes()[begun:],
                self._ready,
                self._name,
                given_up=lambda: process.poll() is not None,
            )
        except AssertionError:
            self.kill()
            raise

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGCONT)
            process.send_signal(number)
            process.wait(START_LIMIT_S)

    def stop(self) -> None:
        """Ends it in order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it as a power cut would."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Holds it still, connections open, until ``thaw``."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


class ServiceContainer:
    """The same for a container of testcontainers (a DockerContainer)."""

    def __init__(self, name: str, container: Any, *, ready: str) -> None:
        self._name = name
        self._container = container
        self._ready = ready
        self._running: Any = None

    def start(self) -> None:
        begun = int(time.time())
        if self._running is None:
            self._running = self._container.start().get_wrapped_container()
        else:
            self._running.start()
        _await(lambda: bytes(self._running.logs(since=begun)), self._ready, self._name)

    def stop(self) -> None:
        self._running.stop()

    def kill(self) -> None:
        self._running.kill()

    def freeze(self) -> None:
        self._running.pause()

    def thaw(self) -> None:
        self._running.unpause()

    def remove(self) -> None:
        self._container.stop()


def _await(
    said: Callable[[], bytes], ready: str, name: str, *, given_up: Callable[[], bool] = lambda: False
) -> None:
    """Returns when the output has ``ready`` in it: a program tells nobody else."""
    output = ""

    def is_ready() -> bool:
        nonlocal output
        output = said().decode(errors="replace")
        assert ready in output or not given_up(), f"{name} did not start:\n{output}"
        return ready in output

    wait_until(is_ready, START_LIMIT_S, told=lambda: f"{name} did not start:\n{output}")
