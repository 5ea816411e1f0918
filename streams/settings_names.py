"""What settings name that stands elsewhere: ICP files, their variants, the drift signals.

A subscription with a misspelt name would send nothing, without a word: so it is refused where it is read. What the
settings show by themselves is refused in schemas/settings.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from schemas.errors import BadInput, FileRefused, PlumblineError
from schemas.file_positions import Path, show_key, show_path
from schemas.icp import ICP
from schemas.settings import Settings
from schemas.written import Misfit
from streams.icp_files import load_icps


def unusable_names(settings: Settings) -> Iterator[Misfit]:
    """What ``plumbline run`` would refuse of them. Variants are only judged where all ICP files are there and right."""
    icps: Sequence[ICP] | None = None
    if settings.icp and all(path.exists() for path in settings.icp):
        try:
            icps = load_icps(settings.icp)
        except FileRefused as refused:
            yield Misfit(
                f"the ICP file {refused.name} is not right", f"see plumbline check {refused.name}", ("icp",)
            )
        except PlumblineError as error:
            yield Misfit(error.what, error.remedy, ("icp",))
    yield from _unknown(settings, icps)


def refuse_unknown_names(settings: Settings, icps: Sequence[ICP] | None) -> None:
    """Raises BadInput for a subscription that names no signal, or no variant of ``icps`` (None: they are not known here)."""
    for misfit in _unknown(settings, icps):
        raise BadInput(f"settings, {show_path(misfit.path)}: {misfit.what}", remedy=misfit.remedy)


def _unknown(settings: Settings, icps: Sequence[ICP] | None) -> Iterator[Misfit]:
    variants = (
        None if icps is None else list(dict.fromkeys(each.name for icp in icps for each in icp.variants))
    )
    for number, subscription in enumerate(settings.subscriptions):
        place: Path = ("subscriptions", number)
        if subscription.signals:
            yield from _not_among(_signals(), subscription.signals, "signal", (*place, "signals"))
        if variants is not None:
            yield from _not_among(variants, subscription.variants, "variant", (*place, "variants"))


def _not_among(known: Sequence[str], named: Sequence[str], what: str, place: Path) -> Iterator[Misfit]:
    for number, name in enumerate(named):
        if name not in known:
            yield Misfit(
                f"there is no {what} `{show_key(name)}`",
                f"use one of {', '.join(known)}",
                (*place, number),
                code=f"unknown_{what}",
            )


def _signals() -> Sequence[str]:
    from detectors.catalogue import (
        VERDICTS_OF,
    )  # here, since it takes a second that most commands need not wait

    return VERDICTS_OF
