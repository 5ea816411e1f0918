"""All that is remembered of one account: explicit, versioned, bounded.

What is bounded, and how: attributes by schemas.events.MAX_ATTRIBUTES, duplicate memory by MAX_SEEN event ids, trigger
memory by detectors/triggers.py, what the profile stated as its source by detectors/acquisition.py, the rest by the size
of the ICP file.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import Any, TypeVar, cast

import msgspec
from msgspec import Raw, Struct

from detectors.acquisition import Statement
from detectors.effects import Effects
from detectors.triggers import Cell
from schemas.errors import StateRefused
from schemas.events import MAX_ATTRIBUTES

STATE_VERSION = 5
MAX_SEEN = 512
NEVER = -1.0
_DIGEST = 8
_SCANNED = 64 * _DIGEST


class VariantState(Struct, array_like=True, gc=False):
    """Where one account stands with one ICP variant."""

    episode: int = 0
    """how many alerts it has had; names them"""
    fired: str = ""
    """the quadrant of the alert that is still on, or empty when armed"""
    alerted_at: float = 0.0
    blockers: dict[str, float] = {}
    """blocker -> Unix seconds at which it ends (or ended)"""
    ceiling: float = 0.0
    """a bound of the trigger score: what spoke for it at the last look, and all that was added since"""
    looked_under: float = 0.0
    """``effective_from`` of the ICP version at the last look, Unix seconds; NEVER where the next rise must be looked at"""
    out: bool = False
    """whether, at that look, the screen or a disqualifier put the account out"""
    disqualified: list[str] = []
    """disqualifiers on events that have happened"""


class AccountState(Struct, array_like=True, dict=True):
    version: int = STATE_VERSION
    attributes: dict[str, tuple[Any, float]] = {}
    """attribute -> (value, Unix seconds of the event that set it); a removed one stays as None, so that an older
    event that arrives late can't bring it back"""
    seen: bytearray = bytearray()
    """8-byte digests of the newest events' source and id"""
    now: float = 0.0
    """newest event or timer, Unix seconds: the account's own time"""
    events: int = 0
    milestones: dict[str, float] = {}
    source: str = ""
    """acquisition source, fixed at sign-up; empty before, and while it is not known"""
    first_visit: tuple[float, str] | None = None
    """time and source of the first visit whose source is known"""
    cells: dict[int, Cell] = {}
    variants: dict[str, VariantState] = {}
    timers: dict[str, float] = {}
    """timer -> Unix seconds at which it is due"""
    statements: list[Statement] = []
    """what the profile stated as its acquisition source, and when"""
    memories: dict[str, Raw] = {}
    """drift signal -> what its account half remembers: as it was stored until ``memory_of`` reads it, from then on the memory
    itself, which is written as the same bytes"""
    used: int = 0
    """product events"""


Memory = TypeVar("Memory", bound=Struct)

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(AccountState)
_version_decoder = msgspec.msgpack.Decoder(list[Any])
_HEAD = _encoder.encode(AccountState())[:2]
"""an array of so many, and the version as its first element"""


def encode_state(state: AccountState) -> bytes:
    return _encoder.encode(state)


def decode_state(raw: bytes) -> AccountState:
    """Raises StateRefused for a version that this program can't read, and for what is damaged."""
    try:
        if raw[:2] == _HEAD:
            return _decoder.decode(raw)
        version, *_ = _version_decoder.decode(raw)
    except ValueError:  # msgspec's errors are ValueErrors; so is a list without a first element
        version = STATE_VERSION
    if version == STATE_VERSION:
        raise StateRefused(
            "a stored account state is damaged: it can't be read",
            remedy="restore the data directory from a backup, or start from an empty one and replay",
        )
    shown = version if isinstance(version, int) else "unknown"
    raise StateRefused(
        f"the stored account states have version {shown}; this program reads version {STATE_VERSION}",
        remedy="run the version of Plumbline that wrote them, or start from an empty data directory and replay",
    )


def memory_of(state: AccountState, signal: str, kind: type[Memory]) -> Memory:
    """What ``signal`` remembers of the account; a new one where it has seen nothing yet. It is read once, changed in place,
    and written with the state. Raises StateRefused for one that is damaged or of another shape."""
    memory: Any = state.memories.get(signal)
    if type(memory) is kind:
        return memory
    try:
        read = kind() if memory is None else msgspec.msgpack.decode(memory, type=kind)
    except ValueError:
        raise StateRefused(
            f"what {signal} remembers of an account is of another version, or damaged",
            remedy="run the version of Plumbline that wrote it, or start from an empty data directory and replay",
        ) from None
    state.memories[signal] = cast(Raw, read)
    return read


def is_news(state: AccountState, source: str, event_id: str) -> bool:
    """Whether the event is not among the newest MAX_SEEN; if so it is one of them from now on.

    An event is named by a digest of its source and id: a cryptographic one, so that no sender can make another's event
    look like a repeat of one of its own. A long memory is looked through once and then kept as a set beside the state
    (it is not stored), so that a busy account's events cost no more than another's.
    """
    mark = blake2b(f"{source}\x00{event_id}".encode(), digest_size=_DIGEST).digest()
    seen = state.seen
    if len(seen) <= _SCANNED:
        if seen.find(mark) >= 0:  # ``mark in seen`` would first try it as a number, and that fails slowly
            return False
        seen += mark
        return True
    marks: set[bytes] | None = state.__dict__.get("marks")
    if marks is None:
        marks = state.__dict__["marks"] = set(_marks(seen))
    if mark in marks:
        return False
    if len(seen) >= MAX_SEEN * _DIGEST:
        forgotten = seen[: MAX_SEEN * _DIGEST // 4]
        del seen[: len(forgotten)]
        marks.difference_update(_marks(forgotten))
    seen += mark
    marks.add(mark)
    return True


def _marks(seen: bytearray) -> Iterator[bytes]:
    return (bytes(seen[i : i + _DIGEST]) for i in range(0, len(seen), _DIGEST))


def merge_attributes(state: AccountState, attributes: dict[str, Any], at: float) -> bool:
    """Attribute by attribute the newest event time wins, null removes. Returns whether a value has changed.

    Attributes over the limit are left out, so that an account's state stays bounded.
    """
    changed = False
    held = state.attributes
    for name, value in attributes.items():
        before = held.get(name)
        if before is None:
            if len(held) >= MAX_ATTRIBUTES:
                continue
        elif before[1] > at or (before[1] == at and not _wins_tie(value, before[0])):
            continue
        held[name] = (value, at)
        # True == 1 in Python, not for conditions.
        if before is None or before[0] != value or type(before[0]) is not type(value):
            changed = True
    return changed


def present(state: AccountState) -> dict[str, Any]:
    """The account's attributes as conditions see them."""
    return {name: value for name, (value, _) in state.attributes.items() if value is not None}


def set_timer(state: AccountState, name: str, due: float, effects: Effects) -> None:
    """Sets the timer or moves it. ``due`` in Unix seconds."""
    if state.timers.get(name) != due:
        state.timers[name] = due
        effects.timers_changed = True


def drop_timer(state: AccountState, name: str, effects: Effects) -> None:
    if state.timers.pop(name, None) is not None:
        effects.timers_changed = True


def _wins_tie(value: Any, other: Any) -> bool:
    """Two events of the same time: any rule will do that does not depend on which came first."""
    return repr(value) >= repr(other)
