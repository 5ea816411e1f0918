"""The settings of this deployment: the file, what the environment overrides, and the secrets that it names.

Rules:
1. The command line goes before the environment, the environment before the file. PLUMBLINE_LISTEN overrides ``listen``,
   PLUMBLINE_DRIFT__HORIZON ``horizon`` under ``drift``. Lists are written as JSON, but PLUMBLINE_ICP is one path, or several
   with commas between.
2. ``env:NAME`` in the place of a secret is looked up (named_secrets.py). A variable that is not set is refused by name where
   its secret is needed; who only reads needs no secret of who sends.
3. Relative paths in the file, and the default data_dir, are relative to the file's folder; those in the environment
   to the current one.
4. No error holds a value of the environment.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic_settings import BaseSettings, EnvSettingsSource, NoDecode, SettingsConfigDict, SettingsError

from schemas.errors import FileRefused, Problem
from schemas.file_positions import Path as Place
from schemas.file_positions import Place as LineAndColumn
from schemas.file_positions import Positions, problem_at
from schemas.settings import Settings
from schemas.yaml_file import read_yaml, validate_data
from streams.delivery.egress import EgressRefused, endpoint_destination
from streams.named_secrets import SECRETS, NamedSecret, look_up
from streams.settings_names import unusable_names
from streams.written_file import read_written

PATHS = (
    ("data_dir",),
    *((part, name) for part in ("kafka", "redis") for name in ("ca", "certificate", "key")),
)
"""Paths outside of lists."""
DEFAULT_FILE = Path("plumbline.yaml")
PREFIX = "PLUMBLINE_"


def load_settings(
    path: Path | None = None,
    options: Mapping[str, Any] | None = None,
    *,
    needs: Collection[str] = SECRETS,
) -> Settings:
    """The settings in ``path``, else in ./plumbline.yaml if it is there, else the defaults; all with overrides.

    ``options`` are settings from the command line, by name. ``needs`` are the parts whose secrets the caller uses; a
    secret of another part may be a stand-in. Raises FileRefused with all problems.
    """
    if path is None and DEFAULT_FILE.exists():
        path = DEFAULT_FILE
    if path is None:
        read = _Read("", "settings", Path(), options or {})
    else:
        read = _Read(read_written(path), str(path), path.absolute().parent, options or {})
    problems = [
        problem_at(
            read.positions,
            secret.place,
            code="environment",
            what=f"the environment variable {secret.variable} is not set",
            remedy=f"set {secret.variable} where the service is started",
        )
        for secret in read.unset
        if secret.part in needs
    ]
    try:
        settings = read.settings()
    except FileRefused as refused:
        problems.extend(refused.problems)
    if problems:
        raise FileRefused(
            read.name, sorted(problems, key=lambda problem: (problem.line or 0, problem.column or 0))
        )
    return settings


def check_settings(text: str, name: str) -> tuple[Settings, list[str]]:
    """What ``plumbline run`` would make here of the settings file ``text``, whose path is ``name``; and the variables of
    secrets that it names and that are not set here.

    Raises FileRefused with all problems but those of missing variables.
    """
    read = _Read(text, name, Path(name).absolute().parent, {})
    settings = read.settings()
    refused = [
        *_refused_endpoints(settings, read.positions),
        *(
            problem_at(read.positions, one.path, code=one.code, what=one.what, remedy=one.remedy)
            for one in unusable_names(settings)
        ),
    ]
    if refused:
        raise FileRefused(name, refused)
    return settings, sorted({secret.variable for secret in read.unset})


class _Read:
    """A settings file with what overrides it, and with its secrets looked up. ``unset`` are those that were not found; stand-ins
    are in their places."""

    def __init__(self, text: str, name: str, folder: Path, options: Mapping[str, Any]) -> None:
        data, self.positions = read_yaml(text, name)
        self.name = name
        self.unset: list[NamedSecret] = []
        self._written: Any = {} if data is None else data
        if isinstance(self._written, dict):
            self._override(folder, _Overrides(options))

    def settings(self) -> Settings:
        """Raises FileRefused."""
        return validate_data(Settings, self._written, self.positions, self.name)

    def _override(self, folder: Path, overrides: _Overrides) -> None:
        self._written.setdefault("data_dir", str(Settings().data_dir))
        _resolve_paths(self._written, folder)
        _merge(self._written, overrides.values)
        self.positions = _Layers(self.positions, overrides.sources)
        self.unset = look_up(self._written)


def _refused_endpoints(settings: Settings, positions: Positions) -> Iterator[Problem]:
    """Those with which the service would not start."""
    for place, endpoint in enumerate(settings.endpoints):
        try:
            endpoint_destination(endpoint.url, settings.egress.allow_networks)
        except EgressRefused as error:
            yield problem_at(
                positions, ("endpoints", place, "url"), code="egress", what=error.what, remedy=error.remedy
            )


class _Environment(BaseSettings, Settings):
    """Settings as the environment names them."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="ignore", hide_input_in_errors=True
    )
    icp: Annotated[list[Path], NoDecode] = []


class _Overrides:
    """What goes before the file, and where each value came from."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.values: dict[str, Any] = _from_environment()
        self.sources = {path: f"environment variable {_variable(path)}" for path in _leaves(self.values)}
        for name, value in options.items():
            self.values[name] = str(value) if isinstance(value, Path) else value
            self.sources[(name,)] = f"option --{name.replace('_', '-')}"


class _Layers(Positions):
    """The places in the file, but for values that came from elsewhere."""

    def __init__(self, file: Positions, sources: Mapping[Place, str]) -> None:
        super().__init__()
        self._file = file
        self._sources = sources
        for path in sources:
            for length in range(1, len(path) + 1):
                self.add_value(path[:length], LineAndColumn(1, 1), collection=False)

    def written(self, path: Place) -> Place:
        return max(super().written(path), self._file.written(path), key=len)

    def describe(self, path: Place, *, on_key: bool = False) -> tuple[str, LineAndColumn | None]:
        for length in range(len(path), 0, -1):
            if path[:length] in self._sources:
                return self._sources[path[:length]], None
        return self._file.describe(path, on_key=on_key)


def _from_environment() -> dict[str, Any]:
    try:
        found = EnvSettingsSource(_Environment)()
    except SettingsError as error:
        field = re.search(r'field "(\w+)"', str(error))
        problem = Problem(
            code="environment",
            what="a list or mapping in the environment must be JSON",
            where=f"environment variable {_variable((field[1],)) if field else PREFIX + '...'}",
            remedy='write it like ["a", "b"], or write it into the settings file',
        )
        raise FileRefused("settings", [problem]) from None
    if isinstance(found.get("icp"), str):
        found["icp"] = [part.strip() for part in found["icp"].split(",") if part.strip()]
    return found


def _resolve_paths(written: dict[str, Any], folder: Path) -> None:
    for *above, name in PATHS:
        part: Any = written
        for key in above:
            part = part.get(key) if isinstance(part, dict) else {}
        if isinstance(part, dict) and isinstance(part.get(name), str):
            part[name] = str(folder / part[name])
    if isinstance(written.get("icp"), list):
        written["icp"] = [str(folder / one) if isinstance(one, str) else one for one in written["icp"]]


def _leaves(overrides: Mapping[str, Any], above: Place = ()) -> Iterator[Place]:
    for key, value in overrides.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key)


def _merge(into: dict[str, Any], overrides: Mapping[str, Any]) -> None:
    for key, value in overrides.items():
        below = into.get(key)
        if isinstance(value, Mapping) and isinstance(below, dict):
            _merge(below, value)
        else:
            into[key] = value


def _variable(path: Place) -> str:
    return PREFIX + "__".join(str(part).upper() for part in path)
