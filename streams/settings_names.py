"""What settings name that stands elsewhere: ICP files, their variants, the drift signals.

A subscription with a misspelt name would send nothing, without a word, a second opinion find nothing, and a chosen baseline be
none: so it is refused where it is read. What the settings show by themselves is refused in schemas/settings.py. The signals
are imported where something names one: that takes a second, which most commands need not wait.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from schemas.errors import BadInput, FileRefused, PlumblineError
from schemas.file_positions import Path, show_key, show_path
from schemas.icp import ICP
from schemas.settings import RiverDetectorName, Settings
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
    """Raises BadInput for a name of no signal, or of no variant of ``icps`` (None: they are not known here)."""
    for misfit in _unknown(settings, icps):
        raise BadInput(f"settings, {show_path(misfit.path)}: {misfit.what}", remedy=misfit.remedy)


def _unknown(settings: Settings, icps: Sequence[ICP] | None) -> Iterator[Misfit]:
    variants = (
        None if icps is None else list(dict.fromkeys(each.name for icp in icps for each in icp.variants))
    )
    yield from _opinions(settings.drift.second_opinion)
    yield from _baselines(settings.drift.baseline_from)
    for number, subscription in enumerate(settings.subscriptions):
        place: Path = ("subscriptions", number)
        if subscription.signals:
            yield from _not_among(_signals(), enumerate(subscription.signals), "signal", (*place, "signals"))
        if variants is not None:
            yield from _not_among(variants, enumerate(subscription.variants), "variant", (*place, "variants"))


def _opinions(asked: Mapping[str, RiverDetectorName]) -> Iterator[Misfit]:
    if not asked:
        return
    from detectors.catalogue import SIGNALS
    from detectors.signals.second_opinion import can_read

    place: Path = ("drift", "second_opinion")
    yield from _not_among([*SIGNALS], ((name, name) for name in asked), "signal", place)
    for name, detector in asked.items():
        if name in SIGNALS and not can_read(detector, SIGNALS[name].reading):
            yield Misfit(
                f"`{detector}` reads 0 and 1 only, and what {name} counts are other numbers",
                "use adwin, page_hinkley or kswin",
                (*place, name),
            )


def _baselines(chosen: Iterable[str]) -> Iterator[Misfit]:
    if chosen:
        from detectors.catalogue import SIGNALS

        yield from _not_among(
            [*SIGNALS], ((name, name) for name in chosen), "signal", ("drift", "baseline_from")
        )


def _not_among(
    known: Sequence[str], named: Iterable[tuple[str | int, str]], what: str, place: Path
) -> Iterator[Misfit]:
    """``named``: where each stands in ``place``, and its name."""
    for where, name in named:
        if name not in known:
            yield Misfit(
                f"there is no {what} `{show_key(name)}`",
                f"use one of {', '.join(known)}",
                (*place, where),
                code=f"unknown_{what}",
                on_key=isinstance(where, str),
            )


def _signals() -> Sequence[str]:
    from detectors.catalogue import VERDICTS_OF

    return VERDICTS_OF
