"""``plumbline check``: says what a file holds, or what is wrong with it, as compilers do.

Rules:
1. The kind of a file is known by its top-level keys; --as says it where they don't.
2. Settings are checked as ``plumbline run`` would take them here: with what the environment overrides, but no secret
   and no ICP file has to be there.
3. A line of the file is shown beside its problem, but for settings, which can hold secrets; control characters are
   never printed.
4. Exit code 0: all files are right; 2: at least one is not.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from schemas.errors import FileRefused, Problem
from schemas.icp import load_icp
from schemas.settings import Settings
from schemas.yaml_file import read_yaml
from streams.settings_file import check_settings
from streams.written_file import read_written

KEYS = {
    "icp": frozenset(
        {"variants", "lifecycle", "effective_from", "review_every", "sources", "bands", "tickets"}
    ),
    "mapping": frozenset({"files", "time_zone", "source"}),
    "settings": frozenset(Settings.model_fields),
}
"""Top-level keys that tell the kind; ``name`` and ``version`` stand in several."""

_TOP_KEY = re.compile(r"^[\"']?([A-Za-z_]+)[\"']?\s*:", re.MULTILINE)
_WIDTH = 110


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--as", "kind", type=click.Choice(list(KEYS)), help="What the files are, if they don't show it."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def command(files: tuple[Path, ...], kind: str | None, as_json: bool) -> None:
    """Check ICP, mapping and settings FILES, and say what to write instead of what is wrong.

    Ends with 0 when all are right, else with 2.
    """
    reports = [_report(path, kind) for path in files]
    if as_json:
        click.echo(
            json.dumps({"ok": all(one.ok for one in reports), "files": [one.as_json() for one in reports]})
        )
    else:
        for one in reports:
            click.echo("\n".join(one.lines()))
    if not all(one.ok for one in reports):
        sys.exit(2)


class _Report:
    """What is to be said of one file."""

    def __init__(self, path: Path, kind: str | None, text: str) -> None:
        self.path = path
        self.kind = kind
        self.text = text
        self.summary = ""
        self.problems: tuple[Problem, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.problems

    def as_json(self) -> dict[str, Any]:
        return {
            "file": str(self.path),
            "kind": self.kind,
            "ok": self.ok,
            "summary": self.summary,
            "problems": [
                {name: getattr(problem, name) for name in problem.__struct_fields__}
                for problem in self.problems
            ],
        }

    def lines(self) -> Iterable[str]:
        if self.ok:
            yield f"{self.path}: {click.style('ok', fg='green')}: {self.summary}"
            return
        for problem in self.problems:
            place = f":{problem.line}:{problem.column}" if problem.line is not None else ""
            code = click.style(f"[{problem.code}]", dim=True)
            elsewhere = f"{problem.where}: " if problem.line is None and problem.where else ""
            yield f"{click.style(f'{self.path}{place}:', bold=True)} {elsewhere}{problem.what} {code}"
            if problem.remedy:
                yield f"    {problem.remedy}"
            if self.kind in ("icp", "mapping"):
                yield from _excerpt(self.text, problem)
        count = len(self.problems)
        yield f"{self.path}: {count} problem{'s' if count > 1 else ''}"


def _report(path: Path, kind: str | None) -> _Report:
    report = _Report(path, kind, "")
    try:
        report.text = read_written(path)
        report.kind = kind or _kind_of(report.text)
        if report.kind is None:
            raise FileRefused(str(path), [_UNKNOWN_KIND])
        report.summary = _CHECKS[report.kind](report.text, str(path))
    except FileRefused as refused:
        report.problems = refused.problems
    return report


_UNKNOWN_KIND = Problem(
    code="unknown_kind",
    what="this is no ICP, mapping or settings file that Plumbline knows",
    where="line 1, column 1",
    remedy="say which it is with --as icp, --as mapping or --as settings",
    line=1,
    column=1,
)


def _kind_of(text: str) -> str | None:
    """By the top-level keys; by what looks like them where the file can't be read as YAML."""
    try:
        data, _ = read_yaml(text, "")
        keys = set(data) if isinstance(data, dict) else set()
    except FileRefused:
        keys = set(_TOP_KEY.findall(text[:100_000]))
    shared = {kind: len(keys & known) for kind, known in KEYS.items()}
    best = max(shared, key=lambda kind: shared[kind])
    return best if shared[best] and list(shared.values()).count(shared[best]) == 1 else None


def _check_icp(text: str, name: str) -> str:
    icp = load_icp(text, name)
    triggers = sum(len(variant.triggers) for variant in icp.variants)
    rules = sum(len(variant.fit) for variant in icp.variants)
    return (
        f"{_count(len(icp.variants), 'variant')}, {_count(triggers, 'trigger')}, {_count(rules, 'fit rule')}; "
        f"version {icp.version}, from {icp.effective_from.isoformat()}"
    )


def _check_mapping(text: str, name: str) -> str:
    from schemas.mapping import load_mapping

    mapping = load_mapping(text, name)
    events = max(len(file.events) for file in mapping.files)
    return f"{_count(len(mapping.files), 'file')}, {_count(events, 'event')} made of each row at most"


def _check_settings(text: str, name: str) -> str:
    settings, missing = check_settings(text, name)
    said = (
        f"listens on {settings.listen}, {_count(len(settings.icp), 'ICP file')}, "
        f"{_count(len(settings.endpoints), 'endpoint')}, {_count(len(settings.tokens), 'token')}"
    )
    if settings.drift.baseline_from:
        said += f", {_count(len(settings.drift.baseline_from), 'chosen baseline')}"
    absent = [str(path) for path in settings.icp if not path.exists()]
    return (
        said
        + (f"; not set here: {', '.join(missing)}" if missing else "")
        + (f"; not there: {', '.join(absent)}" if absent else "")
    )


_CHECKS: dict[str, Callable[[str, str], str]] = {
    "icp": _check_icp,
    "mapping": _check_mapping,
    "settings": _check_settings,
}


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _excerpt(text: str, problem: Problem) -> Iterable[str]:
    """The line, and a caret under the place; a long line is cut around it."""
    lines = text.split("\n")
    if problem.line is None or problem.column is None or problem.line > len(lines):
        return
    line = "".join(sign if sign.isprintable() else " " for sign in lines[problem.line - 1])
    start = max(0, problem.column - _WIDTH)
    shown = line[start : start + _WIDTH]
    number = f"{problem.line:>5} | "
    yield f"{number}{shown}"
    yield f"{' ' * (len(number) - 2)}| {' ' * (problem.column - 1 - start)}^"
