"""Serving: what the store holds, as the shapes of views.py.

Rules:
1. It reads from a source (contract.py) and holds nobody up. ``relist`` alone writes, in short transactions.
2. All methods block: an async caller runs them in a thread. They may run in several threads at the same time.
3. Each answer is made from one snapshot, as of ``now()``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct

from detectors.account_alerts import account_name
from detectors.account_state import VariantState, decode_state, present
from detectors.accounts import NOT_ACCOUNTS
from detectors.catalogue import signals
from detectors.compiled_icp import CompiledICP
from detectors.scoring import CompiledVariant
from schemas.alerts import Alert, moment
from schemas.errors import PlumblineError
from schemas.icp import ICP, AlertRules
from schemas.settings import Settings
from streams.serving import alert_archive, records
from streams.serving.account_facts import account_view
from streams.serving.contract import Source, Wanted
from streams.serving.cursors import read_cursor, write_cursor
from streams.serving.drift_verdicts import verdict_views
from streams.serving.lists import AccountLists, Place, Scored
from streams.serving.sqlite import SqliteSource
from streams.serving.standing import decision_now
from streams.serving.timeline import MAX_ALERTS
from streams.serving.versions import Versions
from streams.serving.views import (
    AccountList,
    AccountView,
    AlertPage,
    BooksView,
    DeadLetterView,
    LedgerView,
    ListedAccount,
    Order,
    TopReason,
    VerdictView,
)


class UnknownVariant(PlumblineError):
    """The ICP file in force has no variant of this name."""


class _ListCursor(Struct, array_like=True):
    variant: str
    order: Order
    with_out: bool
    as_of: float
    key: float
    account: str


class Serving:
    """``source``: where to read, or the embedded store's file. ``icps``: all versions of the ICP file. ``now``: the present
    in Unix seconds."""

    def __init__(
        self, source: Source | Path, icps: Sequence[ICP], settings: Settings, now: Callable[[], float]
    ) -> None:
        self._source: Source = SqliteSource(source) if isinstance(source, Path) else source
        self._versions = Versions(icps, settings.late_after)
        self._signals = signals(settings.drift)
        self._drift_settings = settings.drift
        self._now = now
        self._closing = threading.Event()

    def now(self) -> float:
        """Unix seconds: what lists and scores are as of."""
        return self._now()

    def variants(self) -> list[str]:
        """The names of the variants in force, in the file's order."""
        return [variant.name for variant in self._versions.in_force(self._now()).variants]

    def alert_rules(self, variant: str) -> AlertRules:
        """When an alert goes out for a variant in force. Raises UnknownVariant."""
        return self._variant(self._versions.in_force(self._now()), variant).written.alert

    def accounts(
        self,
        variant: str | None,
        order: Order = "trigger",
        limit: int = 50,
        cursor: str | None = None,
        *,
        with_out: bool = True,
    ) -> AccountList:
        """The first accounts of a variant's list (None: the file's first variant); exact (lists.py).

        ``with_out``: with those that are screened out or disqualified. A cursor goes on with its own list, as of the
        time of the first page. Raises UnknownVariant, CursorRefused.
        """
        now = self._now()
        after = None
        if cursor is not None:
            place = read_cursor(cursor, _ListCursor)
            variant, order, with_out, now = place.variant, place.order, place.with_out, place.as_of
            after = Place(place.as_of, place.key, place.account)
        icp = self._versions.in_force(now)
        chosen = icp.variants[0] if variant is None else self._variant(icp, variant)
        with self._source.snapshot() as snapshot:
            lists = AccountLists(
                snapshot, chosen, now, self._versions.stale_before(icp), after, with_out=with_out
            )
            found = lists.first(order, limit + 1)
        last = found[limit - 1] if len(found) > limit else None
        return AccountList(
            variant=chosen.name,
            order=order,
            icp_version=icp.written.version,
            as_of=moment(now),
            accounts=[_listed(chosen, scored, now) for scored in found[:limit]],
            next=None
            if last is None
            else write_cursor(_ListCursor(chosen.name, order, with_out, now, last.key, last.account)),
        )

    def account(self, account: str) -> AccountView | None:
        """One account with its reasons; None if nothing is known of it."""
        if account.startswith(NOT_ACCOUNTS):
            return None
        now = self._now()
        with self._source.snapshot() as snapshot:
            raw = snapshot.state(account)
            if raw is None:
                return None
            alerts = alert_archive.newest_alerts(snapshot, Wanted(account=account), MAX_ALERTS)
        return account_view(account, decode_state(raw), self._versions.in_force(now), alerts, now)

    def account_count(self) -> int:
        with self._source.snapshot() as snapshot:
            return snapshot.account_count()

    def alerts(self, wanted: Wanted, limit: int = 50, cursor: str | None = None) -> AlertPage:
        """Newest first, as they were sent. Raises CursorRefused."""
        with self._source.snapshot() as snapshot:
            return alert_archive.alert_page(snapshot, wanted, limit, cursor)

    def newest_alerts(self, wanted: Wanted, limit: int) -> list[Alert]:
        with self._source.snapshot() as snapshot:
            return alert_archive.newest_alerts(snapshot, wanted, limit)

    def alert(self, alert_id: str) -> bytes | None:
        """One alert as it was sent (JSON); None if there is none of this id."""
        with self._source.snapshot() as snapshot:
            return snapshot.alert(alert_id)

    def drift(self) -> list[VerdictView]:
        with self._source.snapshot() as snapshot:
            return verdict_views(snapshot, self._signals, self._drift_settings)

    def ledger(self) -> LedgerView:
        with self._source.snapshot() as snapshot:
            return records.ledger_view(snapshot)

    def dead_letters(self, limit: int) -> list[DeadLetterView]:
        with self._source.snapshot() as snapshot:
            return snapshot.dead_letters(limit)

    def books(self) -> BooksView:
        """The ledger, and counts of what came of it."""
        with self._source.snapshot() as snapshot:
            return records.books_view(snapshot)

    def check(self) -> None:
        """Raises Unreadable or StateRefused unless the store can be read."""
        with self._source.snapshot() as snapshot:
            snapshot.progress("accounts")

    def relist(self) -> int | None:
        """Brings the stored lists up to date with the ICP file; how many listings were written, None if
        ``close`` broke it off.

        To be called, in a thread, when the service has started: at once without a change, else half a minute for
        each hundred thousand accounts. Lists are right before, during and after; it is what makes them quick.
        """
        return self._source.relist(self._versions, self._now(), self._closing.wait)

    def close(self) -> None:
        """Gives the connections back, and ends a ``relist`` that is under way within a chunk."""
        self._closing.set()
        self._source.close()

    def _variant(self, icp: CompiledICP, name: str) -> CompiledVariant:
        if name not in icp.by_name:
            raise UnknownVariant(
                "there is no such variant in the ICP file in force",
                remedy="use one of " + ", ".join(icp.by_name),
            )
        return icp.by_name[name]


def _listed(variant: CompiledVariant, scored: Scored, now: float) -> ListedAccount:
    state, score = scored.state, scored.score
    attributes = present(state)
    standing = state.variants.get(variant.name, VariantState())
    as_of = max(now, state.now)
    moments = [cell.recent[-1][0] for _, _, cell in score.parts if cell.recent]
    best = max(score.parts, key=lambda entry: entry[1], default=None)
    return ListedAccount(
        account=scored.account,
        name=account_name(attributes),
        fit=score.fit.score,
        trigger=score.trigger,
        quadrant=score.quadrant,
        standing=decision_now(variant, standing, score, attributes, as_of).reason,
        screened_out=score.fit.out,
        top_reason=TopReason(name=best[0].name, contribution=best[1], because=best[0].written.because)
        if best is not None and best[1] > 0
        else None,
        last_signal=moment(max(moments)) if moments else None,
    )
