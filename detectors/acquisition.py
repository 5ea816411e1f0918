"""Where an account came from: one table brings the spellings of ad tools, CRMs and trackers together.

Rules:
1. Order: the profile's ``acquisition_source``; else the first visit's campaign (medium, then source); else its
   referrer. What says nothing ("other", "(not set)", the firm's own site as referrer) is passed over.
2. The source is fixed at sign-up: it is what was known then. If nothing was known, it is what is known first after it.
3. Order of arrival changes nothing: the source follows from the set of statements and the time of the sign-up. Exact
   while a profile states its source no more than MAX_STATEMENTS times, repeats in between not counted.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import urlsplit

from detectors.matching import Predicate, glob_predicate
from schemas.events import WebVisitData

UNKNOWN = "unknown"
MAX_STATEMENTS = 8
MAX_SOURCE = 64
"""Characters that are kept of a source that is in no table."""

Statement = tuple[float, str]
"""Unix seconds, and the source that was stated then (UNKNOWN: none)"""

SPELLINGS: dict[str, tuple[str, ...]] = {
    "direct": ("direct", "direct_traffic", "none", "(none)", "(direct)", "typed"),
    "organic_search": ("organic_search", "organic", "seo", "google/organic", "bing/organic", "search"),
    "paid_search": ("paid_search", "paid", "cpc", "ppc", "sem", "adwords", "google_ads", "*/cpc", "*/ppc"),
    "social": ("social", "organic_social", "linkedin", "twitter", "x", "facebook", "*/social"),
    "paid_social": (
        "paid_social",
        "social_paid",
        "linkedin_ads",
        "facebook_ads",
        "linkedin/cpc",
        "facebook/cpc",
        "instagram/cpc",
        "twitter/cpc",
        "*/paid_social",
        "*/paidsocial",
    ),
    "referral": ("referral", "referrer", "word_of_mouth", "customer_referral", "*/referral"),
    "email": ("email", "e-mail", "newsletter", "mail", "*/email"),
    "content": ("content", "blog", "webinar", "ebook", "podcast", "*/content"),
    "partner": ("partner", "affiliate", "reseller", "marketplace", "*/affiliate", "*/partner"),
    "outbound": ("outbound", "cold_call", "cold_email", "sdr", "sales"),
    UNKNOWN: ("unknown", "other", "(not_set)", ""),
}

_SEARCH = frozenset({"google", "bing", "duckduckgo", "ecosia", "baidu", "yandex", "yahoo"})
_SOCIAL = frozenset({"linkedin", "facebook", "twitter", "instagram", "reddit", "youtube"})
_SOCIAL_HOSTS = frozenset({"t.co", "x.com", "lnkd.in", "youtu.be"})
_ENDINGS = frozenset({"com", "org"})
_SECOND_LEVELS = frozenset({"co", "com", "org"})


class Acquisition:
    """The built-in table with an ICP file's own spellings, which go first."""

    def __init__(self, extra: Mapping[str, Sequence[str]]) -> None:
        self._tables = [_Table(extra), _Table(SPELLINGS)]

    def source(self, written: str) -> str:
        """The table's name for ``written``; what is in no table stays as it is written, normalised and cut."""
        normal = _normal(written)
        found = self._find(normal)
        return found if found is not None else normal[:MAX_SOURCE]

    def of_account(self, written: object, first_visit: Statement | None) -> str:
        """The source of an account by its profile's ``acquisition_source``, else by its first visit (time and source), else
        unknown."""
        stated = self.of_profile(written)
        if stated != UNKNOWN:
            return stated
        return first_visit[1] if first_visit is not None else UNKNOWN

    def of_profile(self, written: object) -> str:
        """The source that a profile's ``acquisition_source`` means."""
        return self.source(written) if isinstance(written, str) else UNKNOWN

    def of_visit(self, visit: WebVisitData) -> str | None:
        """The source that a visit shows, or None when it shows none."""
        campaign = visit.campaign
        if campaign is not None:
            source, medium = _normal(campaign.source or ""), _normal(campaign.medium or "")
            both = f"{source}/{medium}" if source and medium else ""
            for normal in (both, medium, source):
                found = self._find(normal)
                if found is not None and found != UNKNOWN:
                    return found
            for normal in (medium, source):
                if self._find(normal) is None:  # in no table: a word of the firm's own
                    return normal[:MAX_SOURCE]
        return _of_referrer(visit.referrer, visit.url) if visit.referrer else None

    def _find(self, normal: str) -> str | None:
        for table in self._tables:
            found = table.find(normal)
            if found is not None:
                return found
        return None


class _Table:
    """Spellings -> source; exact ones go before patterns, patterns in the order in which they are written."""

    def __init__(self, spellings: Mapping[str, Iterable[str]]) -> None:
        self._exact: dict[str, str] = {}
        self._patterns: list[tuple[Predicate, str]] = []
        for source, written in spellings.items():
            for spelling in (source, *written):
                normal = _normal(spelling)
                if "*" in normal or "?" in normal:
                    self._patterns.append((glob_predicate(normal), source))
                else:
                    self._exact.setdefault(normal, source)

    def find(self, normal: str) -> str | None:
        found = self._exact.get(normal)
        if found is None:
            found = next((source for fits, source in self._patterns if fits(normal)), None)
        return found


def remember_statement(statements: list[Statement], at: float, source: str) -> None:
    """Notes what a profile stated at ``at`` (Unix seconds). ``statements`` stays sorted and bounded."""
    if (at, source) in statements:
        return
    insort(statements, (at, source))
    if len(statements) > MAX_STATEMENTS:
        # One that only repeats its neighbours tells least; else one in the middle goes, as first and last decide most.
        middle = range(1, len(statements) - 1)
        repeats = (i for i in middle if statements[i - 1][1] == statements[i][1] == statements[i + 1][1])
        del statements[next(repeats, len(statements) // 2)]


def source_at_sign_up(
    signed_up: float | None, statements: Sequence[Statement], first_visit: Statement | None
) -> str:
    """The source as it is fixed (rule 2), or an empty text while it is not.

    ``signed_up`` in Unix seconds; ``statements`` are the profile's, sorted; ``first_visit`` is the earliest that shows
    a source.
    """
    if signed_up is None:
        return ""
    before = [source for at, source in statements if at <= signed_up]
    if before and before[-1] != UNKNOWN:
        return before[-1]
    if first_visit is not None and first_visit[0] <= signed_up:
        return first_visit[1]
    after = next(((at, source) for at, source in statements if at > signed_up and source != UNKNOWN), None)
    if after is None:
        return first_visit[1] if first_visit is not None else ""
    return first_visit[1] if first_visit is not None and first_visit[0] < after[0] else after[1]


def _of_referrer(referrer: str, url: str) -> str | None:
    host = _host(referrer)
    if not host or _same_site(host, _host(url)):
        return None
    if host in _SOCIAL_HOSTS:
        return "social"
    name = _registered_name(host)
    if name in _SEARCH:
        return "organic_search"
    return "social" if name in _SOCIAL else "referral"


def _host(url: str) -> str:
    """The host of a web address in small letters, without www and a last dot; empty where there is none."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:  # brackets without an end and the like: whoever sends it decides what it is
        return ""
    if parts.scheme not in ("http", "https"):
        return ""
    return host.rstrip(".").removeprefix("www.")


def _registered_name(host: str) -> str:
    """``google`` of news.google.com and google.co.uk. Only what stands right before the public ending names a site:
    google.com.evil.example is evil's, and notgoogle.com is not Google's."""
    labels = host.split(".")
    country = len(labels[-1]) == 2
    if not country and labels[-1] not in _ENDINGS:  # google.zip: none of these sites has such an ending
        return ""
    endings = 2 if country and len(labels) > 2 and labels[-2] in _SECOND_LEVELS else 1
    return labels[-endings - 1] if len(labels) > endings else ""


def _same_site(one: str, other: str) -> bool:
    return bool(other) and (one == other or one.endswith(f".{other}") or other.endswith(f".{one}"))


def _normal(written: str) -> str:
    return written.strip().casefold().replace(" ", "_")
