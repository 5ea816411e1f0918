"""The company as it should be: it grows, its sources differ, nothing drifts."""

from __future__ import annotations

from streams.simulation.scenario import Scenario, Source

HEALTHY = Scenario(
    name="healthy",
    about="Grows by half a year; sources differ and stay as they are; no drift.",
    sources=(
        Source(
            name="organic_search",
            share=0.22,
            activated=0.42,
            paid=0.15,
            spellings=("organic_search", "organic", "google/organic"),
            referrer="https://www.google.com/",
            campaign=None,
        ),
        Source(
            name="paid_search",
            share=0.15,
            activated=0.34,
            paid=0.10,
            spellings=("paid_search", "google/cpc", "bing/cpc"),
            referrer="https://www.google.com/",
            campaign=("google", "cpc"),
        ),
        Source(
            name="referral",
            share=0.10,
            activated=0.56,
            paid=0.27,
            spellings=("referral",),
            referrer="https://peers.example/",
            campaign=("peers", "referral"),
        ),
        Source(
            name="content",
            share=0.22,
            activated=0.46,
            paid=0.18,
            spellings=("content", "blog", "newsletter/weekly"),
            referrer="https://stack.example/",
            campaign=("blog", "content"),
        ),
        Source(
            name="social",
            share=0.09,
            activated=0.28,
            paid=0.07,
            spellings=("social", "linkedin/social"),
            referrer="https://www.linkedin.com/",
            campaign=("linkedin", "social"),
        ),
        Source(
            name="partner",
            share=0.04,
            activated=0.50,
            paid=0.24,
            sales_led=0.4,
            spellings=("partner",),
            referrer="https://partner.example/",
            campaign=("integrator", "partner"),
        ),
        Source(
            name="outbound",
            share=0.06,
            activated=0.45,
            paid=0.20,
            sales_led=0.7,
            spellings=("outbound",),
        ),
        Source(
            name="direct",
            share=0.12,
            activated=0.46,
            paid=0.19,
            spellings=("direct",),
        ),
    ),
)
