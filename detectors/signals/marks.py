"""What an opportunity or a ticket is known by in an account's memory: short, whatever its id is."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b


@lru_cache(64)
def mark_of(identity: str) -> int:
    """Remembered, since several signals ask for the same one in turn."""
    return int.from_bytes(blake2b(identity.encode(), digest_size=8).digest())
