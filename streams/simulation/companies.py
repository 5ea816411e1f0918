"""Who an account is: name, industry, size, technologies, contacts. Most are poor fits; names are invented.

A good fit is what examples/acme/icp.yaml looks for: 50 to 2,000 employees, a cloud warehouse, 20 to 200 sales reps.
"""

from __future__ import annotations

from bisect import bisect
from itertools import accumulate
from math import exp

from msgspec import Struct
from numpy.random import Generator

from streams.simulation.account import Account

_FIRST = (
    "Nor", "Vel", "Tam", "Bris", "Cal", "Dor", "Els", "Fen", "Gal", "Hal", "Iver", "Jun", "Kes", "Lum", "Mar",
    "Nav", "Ost", "Pel", "Quin", "Ros", "Sol", "Tor", "Ull", "Vin", "Wen", "Yar", "Zel", "Arb", "Bel", "Cor",
)  # fmt: skip
_SECOND = (
    "vane", "mere", "dale", "ric", "ano", "ista", "ova", "wick", "field", "lund", "mark", "ton", "bury", "ello",
    "ane", "oris", "ander", "ley", "strand", "haven",
)  # fmt: skip
_KIND = {
    "software": ("Systems", "Cloud", "Labs", "Software"),
    "finance": ("Capital", "Ledger", "Payments", "Insurance"),
    "health": ("Health", "Clinics", "Care", "Diagnostics"),
    "retail": ("Stores", "Outfitters", "Market", "Goods"),
    "logistics": ("Freight", "Logistics", "Lines", "Parcel"),
    "manufacturing": ("Works", "Industries", "Components", "Tools"),
    "media": ("Media", "Press", "Studios", "Radio"),
    "gambling": ("Games", "Bets"),
    "tobacco": ("Tobacco", "Leaf"),
}
_INDUSTRIES = tuple(_KIND)
# By fit (poor, fair, good): one weight an industry.
_INDUSTRY_WEIGHTS = (
    tuple(accumulate((0.18, 0.08, 0.09, 0.20, 0.09, 0.13, 0.17, 0.04, 0.02))),
    tuple(accumulate((0.26, 0.14, 0.12, 0.15, 0.12, 0.10, 0.10, 0.01, 0.00))),
    tuple(accumulate((0.36, 0.20, 0.16, 0.10, 0.09, 0.05, 0.04, 0.00, 0.00))),
)
_WAREHOUSES = ("snowflake", "bigquery", "databricks", "redshift")
_TOOLS = ("dbt", "looker", "tableau", "airflow", "salesforce", "hubspot")
_TITLES = (
    "Analytics engineer", "BI lead", "VP Data", "CFO", "CISO", "Head of platform", "RevOps manager",
    "Data engineer", "Marketing manager", "Founder", "Office manager", "Head of sales",
)  # fmt: skip
_COMPLIANCE = ("soc2", "hipaa", "iso27001")
# Hours from UTC, currency, weight.
_REGIONS = ((-8, "USD", 0.16), (-5, "USD", 0.30), (0, "GBP", 0.16), (1, "EUR", 0.30), (2, "EUR", 0.08))
_REGION_WEIGHTS = tuple(accumulate(region[2] for region in _REGIONS))


class Company(Struct, gc=False):
    """The facts that become the profile's attributes, each at its own time."""

    name: str
    domain: str
    industry: str
    technologies: list[str]
    sales_reps: int
    compliance: list[str]
    deployment: str
    contacts: list[dict[str, str]]
    open_roles: dict[str, int]
    advisory_board: bool
    utc_offset_s: int
    currency: str
    users: int
    """people who may use the product in the end"""
    eagerness: float
    """multiplies activity; heavy-tailed"""
    interest: float
    """0 to 1: how near to buying it behaves"""


def describe(account: Account, draw: Generator) -> Company:
    """The company behind ``account``."""
    u = draw.random(40).tolist()
    z = draw.standard_normal(3).tolist()
    fit = account.fit
    industry = _INDUSTRIES[min(bisect(_INDUSTRY_WEIGHTS[fit], u[0]), len(_INDUSTRIES) - 1)]
    stem = _FIRST[int(u[1] * len(_FIRST))] + _SECOND[int(u[2] * len(_SECOND))]
    kinds = _KIND[industry]
    kind = kinds[int(u[3] * len(kinds))]
    technologies = [
        name
        for name, chance, each in zip(_WAREHOUSES, (0.45, 0.35, 0.2, 0.2), u[4:8], strict=True)
        if each < chance * (0.22, 0.75, 1.0)[fit]
    ]
    if fit == 2 and not technologies:
        technologies.append("snowflake" if u[8] < 0.6 else "bigquery")
    technologies += [
        name for name, each in zip(_TOOLS, u[9:15], strict=True) if each < (0.14, 0.30, 0.45)[fit]
    ]
    sales_reps = int(20 + 180 * u[15] ** 2) if fit == 2 else int(account.employees * (0.04 + 0.12 * u[15]))
    compliance = [
        name
        for name, each in zip(_COMPLIANCE, u[16:19], strict=True)
        if each < (0.05, 0.2, 0.45)[fit] * (1.6 if name == "hipaa" and industry == "health" else 1.0)
    ]
    _, currency, _ = region = _REGIONS[min(bisect(_REGION_WEIGHTS, u[19]), len(_REGIONS) - 1)]
    seats = 1 + min(account.employees, 40 + account.employees // 20)
    users = 1 + min(seats, int(exp(1.0 + 0.5 * fit + 0.9 * z[0])))
    eagerness = exp(1.1 * z[1] - 0.25) * (0.8, 1.0, 1.3)[fit]
    if account.elite:
        # By seat the devoted are ahead of nearly everybody, whatever their size.
        eagerness = 2.0 * users * exp(0.3 * z[1])
    return Company(
        name=f"{stem} {kind}",
        domain=f"{stem.lower()}-{kind.lower()}-{account.number}.example",
        industry=industry,
        technologies=technologies,
        sales_reps=sales_reps,
        compliance=compliance,
        deployment="on_premises" if u[20] < (0.08, 0.05, 0.03)[fit] else "cloud",
        contacts=[
            {"title": _TITLES[int(each * (12 if fit == 0 else 8))]} for each in u[21 : 22 + int(u[24] * 3)]
        ],
        open_roles={"data_engineer": 1 + int(u[26] * 4)} if u[25] < (0.05, 0.15, 0.35)[fit] else {},
        advisory_board=account.paid < account.churned and u[27] < (0.5 if account.elite else 0.005),
        utc_offset_s=region[0] * 3600,
        currency=currency,
        users=users,
        eagerness=min(40.0, eagerness),
        interest=u[28],
    )
