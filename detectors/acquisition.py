"""Where an account came from: one table brings the spellings of ad tools, CRMs and trackers together.

Order: the profile's ``acquisition_source``; else the first visit's campaign (medium, then source); else its referrer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

from schemas.events import WebVisitData

UNKNOWN = "unknown"

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
        "*/paid_social",
        "*/paidsocial",
    ),
    "referral": ("referral", "referrer", "word_of_mouth", "customer_referral", "*/referral"),
    "email": ("email", "e-mail", "newsletter", "mail", "*/email"),
    "content": ("content", "blog", "webinar", "ebook", "podcast", "*/content"),
    "partner": ("partner", "affiliate", "reseller", "marketplace", "*/affiliate", "*/partner"),
    "outbound": ("outbound", "cold_call", "cold_email", "sdr", "sales"),
    "unknown": ("unknown", "other", ""),
}

_SEARCH = ("google.", "bing.", "duckduckgo.", "ecosia.", "baidu.", "yandex.", "yahoo.")
_SOCIAL = ("linkedin.", "facebook.", "twitter.", "t.co", "x.com", "instagram.", "reddit.", "youtube.")


class Acquisition:
    """The built-in table with an ICP file's own spellings, which go first."""

    def __init__(self, extra: Mapping[str, Sequence[str]]) -> None:
        self._exact: dict[str, str] = {}
        self._patterns: list[tuple[str, str]] = []
        for table in (extra, SPELLINGS):
            for source, spellings in table.items():
                for spelling in (source, *spellings):
                    if "*" in spelling or "?" in spelling:
                        self._patterns.append((_normal(spelling), source))
                    else:
                        self._exact.setdefault(_normal(spelling), source)

    def source(self, written: str) -> str:
        """The table's name for ``written``; what is in no table stays as it is written, normalised and cut."""
        normal = _normal(written)
        found = self._exact.get(normal)
        if found is not None:
            return found
        for pattern, source in self._patterns:
            if fnmatchcase(normal, pattern):
                return source
        return normal[:64]

    def of_account(self, attributes: Mapping[str, Any], first_visit: tuple[float, str] | None) -> str:
        """The source of an account by its profile, else by its first visit (time and source), else unknown."""
        written = attributes.get("acquisition_source")
        if isinstance(written, str):
            return self.source(written)
        return first_visit[1] if first_visit is not None else UNKNOWN

    def of_visit(self, visit: WebVisitData) -> str | None:
        """The source that a visit shows, or None when it shows none."""
        campaign = visit.campaign
        if campaign is not None:
            if campaign.medium and campaign.source:
                both = self.source(f"{campaign.source}/{campaign.medium}")
                if "/" not in both:
                    return both
            for written in (campaign.medium, campaign.source):
                if written:
                    return self.source(written)
        if visit.referrer:
            host = urlsplit(visit.referrer).hostname or ""
            if any(name in host for name in _SEARCH):
                return "organic_search"
            if any(host == name or name in f"{host}." for name in _SOCIAL):
                return "social"
            return "referral" if host else None
        return None


def _normal(written: str) -> str:
    return written.strip().casefold().replace(" ", "_")
