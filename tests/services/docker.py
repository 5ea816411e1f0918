"""A real Docker daemon for the tests that need containers, with the images that the project names.

Two ways to get it, chosen by PLUMBLINE_TEST_DOCKER:
- `own` (the default): a daemon is started for the tests of a file, and stand-ins for the public images are built in it from
  Debian's packages (setup/stand-ins). Needs root. For machines that can pull no image, CI's among them.
- `here`: the daemon that DOCKER_HOST names, or this machine's; it pulls the public images itself.

Rules: the own daemon touches neither firewall nor forwarding; its images stay in the user's cache, so that the next run
is quick, and nothing else of it stays: no container, volume, network, bridge or mount, and no process even when the test run is
killed; two runs don't share it, the second waits.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.services.programs import missing, program
from tests.services.waiting import wait_until

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "plumbline"
START_LIMIT_S = 60
BRIDGE = "plumbline0"
"""A bridge of its own: whoever has a docker0 keeps it."""
BRIDGE_ADDRESS = "172.30.255.1/24"


class Docker:
    """A daemon to talk to. ``environment``: what a program needs to reach it (docker, docker-compose, testcontainers)."""

    def __init__(self, environment: dict[str, str], *, own: bool) -> None:
        self.environment = environment
        self._own = own
        self._program = program("docker", package="docker.io")

    def run(self, *arguments: str, limit_s: float = 60) -> str:
        """What ``docker ARGUMENTS`` prints; its failure is an AssertionError with its words."""
        done = subprocess.run(
            [self._program, *arguments],
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=limit_s,
        )
        assert done.returncode == 0, f"docker {arguments[0]}: {done.stdout[-4000:]}{done.stderr[-4000:]}"
        return done.stdout.strip()

    def provide(self, *images: str) -> None:
        """Sees to it that ``images`` can be started: as stand-ins in the own daemon, else they get pulled when used."""
        if not self._own:
            return
        program("debootstrap", package="debootstrap")
        built = subprocess.run(
            [str(ROOT / "setup/stand-ins/build"), *images],
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=280,
        )
        assert built.returncode == 0, f"stand-ins: {built.stdout[-2000:]}{built.stderr[-4000:]}"

    def build(self, dockerfile: str, tag: str) -> None:
        """Builds an image of the project from its root, by the legacy builder, which every daemon has."""
        # Without a firewall's help the own daemon's networks lead nowhere: pip needs the machine's.
        network = ["--network", "host"] if self._own else []
        command = ["build", "--quiet", *network, "--file", str(ROOT / dockerfile)]
        # The stage that holds the dependencies has a name, so that the next run finds it in the cache.
        for more in (["--target", "build", "--tag", f"{tag}-build"], ["--tag", tag]):
            self.run(*command, *more, str(ROOT), limit_s=280)


@contextmanager
def _bridge() -> Iterator[None]:
    def ip(*arguments: str) -> None:
        subprocess.run([program("ip", package="iproute2"), *arguments], check=True, timeout=30)

    if Path("/sys/class/net", BRIDGE).exists():  # of a run that was killed
        ip("link", "delete", BRIDGE)
    ip("link", "add", "name", BRIDGE, "type", "bridge")
    try:
        ip("address", "add", BRIDGE_ADDRESS, "dev", BRIDGE)
        ip("link", "set", BRIDGE, "up")
        yield
    finally:
        ip("link", "delete", BRIDGE)


def _leave_nothing(docker: Docker) -> None:
    """Removes what tests left, and images that have lost their names."""
    if containers := docker.run("ps", "--all", "--quiet").split():
        docker.run("rm", "--force", "--volumes", *containers)
    for kind in ("volume", "network", "image"):
        docker.run(kind, "prune", "--force")


def _mounts_below(folder: Path) -> list[str]:
    points = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    return [point for point in points if point.startswith(f"{folder}/")]


@contextmanager
def _own_daemon() -> Iterator[Docker]:
    daemon = program("dockerd", package="docker.io")
    if os.geteuid() != 0:
        missing("a Docker daemon of one's own needs root; with one that runs: PLUMBLINE_TEST_DOCKER=here")
    CACHE.mkdir(parents=True, exist_ok=True)
    storage = CACHE / "docker"
    with (CACHE / "docker.lock").open("w") as lock, ExitStack() as stack:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stack.enter_context(_bridge())
        folder = Path(tempfile.mkdtemp(prefix="plumbline-docker-"))
        host = f"unix://{folder / 'docker.sock'}"
        docker = Docker({"DOCKER_HOST": host, "DOCKER_CONFIG": str(folder), "DOCKER_BUILDKIT": "0"}, own=True)
        output = folder / "output.log"
        # It ends even when we are killed.
        command = [program("setpriv", package="util-linux"), "--pdeathsig", "TERM", daemon]
        for option in (
            f"host={host}",
            f"data-root={storage}",
            f"exec-root={folder / 'exec'}",
            f"pidfile={folder / 'pid'}",
            f"config-file={folder / 'daemon.json'}",
            f"bridge={BRIDGE}",
            *("iptables=false", "ip6tables=false", "ip-forward=false", "log-level=warn"),
        ):
            command.append(f"--{option}")
        (folder / "daemon.json").write_text("{}")
        with output.open("wb") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            _await_answer(process, docker, output)
            _leave_nothing(docker)  # of a run that was killed
            try:
                yield docker
            finally:
                _leave_nothing(docker)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(START_LIMIT_S)
            for point in _mounts_below(folder):  # the daemon's own network namespace
                subprocess.run(["umount", point], check=True, timeout=30)
            shutil.rmtree(folder)
            assert not (left := _mounts_below(storage)), f"still mounted: {left}"


def _await_answer(process: subprocess.Popen[bytes], docker: Docker, output: Path) -> None:
    def answers() -> bool:
        assert process.poll() is None, f"dockerd did not start:\n{said()}"
        try:
            docker.run("version")
        except AssertionError:
            return False
        return True

    def said() -> str:
        return output.read_text(errors="replace")[-4000:]

    wait_until(answers, START_LIMIT_S, told=said)


@pytest.fixture(scope="module")
def docker() -> Iterator[Docker]:
    """A Docker daemon for the tests of a file. Its images are kept, so there is one at a time: where several processes share
    the tests, another file's waits."""
    chosen = os.environ.get("PLUMBLINE_TEST_DOCKER", "own")
    if chosen == "own":
        with _own_daemon() as daemon:
            yield daemon
    elif chosen == "here":
        yield Docker({"DOCKER_BUILDKIT": "0"}, own=False)
    else:
        raise pytest.UsageError(f"PLUMBLINE_TEST_DOCKER is `{chosen}`; it can be own or here")
