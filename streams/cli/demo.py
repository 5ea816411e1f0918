"""plumbline demo: the service on a simulated company, with a receiver for its webhooks. What ``make run`` starts.

Everything is as in a real installation: the events are in the event log, the alerts travel by signed webhooks over
HTTP to another process. Only the company is invented; its content channel has begun to draw the curious.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import uvloop
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from schemas.errors import PlumblineError
from schemas.file_positions import Positions
from schemas.settings import Settings
from schemas.yaml_file import validate_data
from streams.cli.run import serve_until_signal
from streams.embedded import EmbeddedService
from streams.history import batches
from streams.icp_files import load_icps
from streams.listening import not_listened_on
from streams.log import EventLog
from streams.logs import configure_logs
from streams.settings_file import load_settings
from streams.simulation.company import Order, simulate
from streams.simulation.scenarios import SCENARIOS

MARK = "made-by-plumbline-demo"
"""a folder without this file is not ours to empty"""

SETTINGS = """\
# Written by plumbline demo. plumbline.yaml of a real installation looks the same.
listen: {listen}
data_dir: data
icp: [icp.yaml]
drift:
  horizon: 30d            # the sample is short: real funnels want 60d or 90d
endpoints:
  - name: demo-receiver
    url: http://127.0.0.1:{port}/
    secrets: ["{secret}"]
subscriptions:
  - endpoint: demo-receiver
    kinds: [trigger, blocker_ended]
    quadrants: [route]
    max_age: 5d
  - endpoint: demo-receiver
    kinds: [drift, notice]
    max_age: 20w
egress:
  allow_networks: [127.0.0.0/8]   # the receiver is on this machine
"""


@click.command(name="demo")
@click.option("--folder", default=".plumbline-demo", show_default=True, type=click.Path(path_type=Path))
@click.option(
    "--listen", default="127.0.0.1:8460", show_default=True, help="Address and port of the service."
)
@click.option("--accounts", default=9000, show_default=True, type=click.IntRange(100, 200_000))
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0))
@click.option("--until-delivered", is_flag=True, help="End when all alerts have arrived (for tests).")
def command(folder: Path, listen: str, accounts: int, seed: int, until_delivered: bool) -> None:
    """Run the service on a simulated company, with a webhook receiver that prints what it gets.

    FOLDER is made anew each time. Ctrl-C ends both.
    """
    configure_logs(as_json=False)
    console = Console()
    _require_free(validate_data(Settings, {"listen": listen}, Positions(), "--listen"))
    _prepare(folder)
    port = _free_port()
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    settings_path = folder / "plumbline.yaml"
    settings_path.touch(mode=0o600)
    settings_path.write_text(SETTINGS.format(listen=listen, port=port, secret=secret))
    shutil.copyfile(sample("acme/icp.yaml"), folder / "icp.yaml")
    settings = load_settings(settings_path)
    _write_company(console, folder, accounts, seed)
    receiver = subprocess.Popen(  # noqa: S603 - this very program
        [
            sys.executable,
            "-m",
            "streams",
            "listen",
            "--port",
            str(port),
            "--secret",
            "env:PLUMBLINE_DEMO_SECRET",
        ],
        env={"PLUMBLINE_DEMO_SECRET": secret, "PATH": "", "COLUMNS": str(console.width)},
        # Ctrl-C is ours to hear: the receiver is told to end when all is sent.
        start_new_session=True,
    )
    try:
        _await_port(receiver, port)
        service = EmbeddedService(settings, load_icps(settings.icp))
        uvloop.run(_serve(console, service, folder, until_delivered))
    finally:
        receiver.send_signal(signal.SIGTERM)
        receiver.wait(timeout=10)


async def _serve(console: Console, service: EmbeddedService, folder: Path, until_delivered: bool) -> None:
    async def tell() -> None:
        console.print(f"[bold]3[/] The service reads them, at {service.url}", highlight=False)
        await service.delivered()
        ledger = service.serving.ledger()
        console.print(
            f"\n  received {ledger.received:,} = applied {ledger.applied:,} + duplicate {ledger.duplicate:,}"
            f" + late {ledger.late:,} + dead-lettered {ledger.dead_lettered:,}\n\n"
            f"[bold]Open {service.url}[/] for the accounts, the alerts and the drift table. In another terminal:\n"
            f"  .venv/bin/plumbline drift list --settings {folder}/plumbline.yaml\n"
            f"  .venv/bin/plumbline deliveries list --settings {folder}/plumbline.yaml\n"
            f"  .venv/bin/plumbline replay --settings {folder}/plumbline.yaml {folder}/events.jsonl\n"
            f"  curl {service.url}/metrics\n"
            "Ctrl-C ends.",
            highlight=False,
            soft_wrap=True,
        )
        if until_delivered:
            service.stop()

    background: list[asyncio.Task[None]] = []
    await serve_until_signal(service, lambda: background.append(asyncio.ensure_future(tell())))
    for task in background:
        task.cancel()


def sample(name: str) -> Path:
    """A file of examples/, in a checkout or in an installed package."""
    here = Path(__file__).resolve().parents[1]
    for folder in (here / "examples", here.parent / "examples"):
        if (folder / name).exists():
            return folder / name
    raise PlumblineError(f"the sample {name} is not there", remedy="reinstall, or run in a checkout")


def _prepare(folder: Path) -> None:
    if folder.exists():
        if not (folder / MARK).exists():
            raise PlumblineError(
                f"{folder} is there and was not made by plumbline demo",
                remedy="name another folder with --folder",
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / MARK).touch()


def _write_company(console: Console, folder: Path, accounts: int, seed: int) -> None:
    """Simulates the company up to now and puts its events into the log."""
    console.print("[bold]1[/] A company is simulated: 300 days, one channel that begins to draw the curious")
    order = Order(
        scenario=SCENARIOS["plg-silent-drift"],
        accounts=accounts,
        days=300,
        seed=seed,
        until=datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1),
        activity=0.03,
    )
    columns = (TextColumn("  {task.description}"), BarColumn(), TimeElapsedColumn())
    events = folder / "events.jsonl"
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bars:
        task = bars.add_task("accounts")
        truth = simulate(order, events, lambda _, done, total: bars.update(task, completed=done, total=total))
    console.print(f"[bold]2[/] {truth.lines:,} events go into the event log", highlight=False)
    log = EventLog(folder / "data" / "log")
    try:
        for batch, _ in batches([events], 10_000):
            log.append([line.rstrip(b"\n") for _, line in batch])
    finally:
        log.close()


def _require_free(settings: Settings) -> None:
    """Before a folder is emptied, which may be that of a demo that runs, and before the company is simulated."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        socket.create_server((settings.host, settings.port), family=family).close()
    except OSError as error:
        raise not_listened_on(
            settings.listen,
            error,
            choose=" (another demo may run): plumbline demo --listen 127.0.0.1:PORT --folder NEW",
        ) from None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_port(receiver: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(100):
        if receiver.poll() is not None:
            raise PlumblineError(
                "the webhook receiver did not start", remedy="try plumbline listen by itself"
            )
        with socket.socket() as probe:
            probe.settimeout(0.2)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        try:
            receiver.wait(timeout=0.2)
        except subprocess.TimeoutExpired:
            continue
    raise PlumblineError("the webhook receiver did not answer", remedy="try plumbline listen by itself")
