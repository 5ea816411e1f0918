"""What people write: tickets by kind, notes of sales reps, reasons of losses. All invented."""

from __future__ import annotations

KINDS = ("basic_comprehension", "advanced_how_to", "integration", "bug", "billing", "request", "other")

CATEGORIES: dict[str, tuple[str, ...]] = {
    "basic_comprehension": ("getting started", "what is"),
    "advanced_how_to": ("how-to",),
    "integration": ("integration",),
    "bug": ("defect",),
    "billing": ("billing",),
    "request": ("feature request",),
    "other": ("other",),
}
"""the help desk's own categories for each kind"""

TICKETS: dict[str, tuple[tuple[str, str], ...]] = {
    "basic_comprehension": (
        (
            "What is a metric here?",
            "I see metrics, measures and reports. What is the difference, and which do I need?",
        ),
        ("Where do I start?", "I signed up yesterday and I don't know what to do first. Is there a tour?"),
        (
            "What does the dashboard show me?",
            "My colleague sent me a link. What am I looking at, and what is it for?",
        ),
        (
            "How do I see my data?",
            "I have an account but I can't see any of our data. Do I have to connect something?",
        ),
        (
            "Is this a replacement for spreadsheets?",
            "We use spreadsheets for everything. What would we use this for?",
        ),
        ("What are {feature}?", "The menu has {feature}. What do they do, and do we need them?"),
    ),
    "advanced_how_to": (
        (
            "Combining two filters in {feature}",
            "I want the 90th percentile by region, for paying accounts only. How do I nest the filters?",
        ),
        (
            "Incremental refresh of a large model",
            "Our fact table has 400 million rows. How do we refresh only the last two days?",
        ),
        (
            "Row-level permissions by region",
            "Each manager must see one region only. Can a permission use an attribute of the user?",
        ),
        (
            "Scheduling {feature} across time zones",
            "Our teams are in three time zones. How do we send at 8 o'clock local time?",
        ),
        (
            "Version control of definitions",
            "We want reviews before a definition changes. How do others do it?",
        ),
    ),
    "integration": (
        (
            "Snowflake key-pair login fails",
            "We rotated the key and the connection is refused since. Which format do you expect?",
        ),
        ("dbt models don't show up", "The job finished, but the new models are missing from {feature}."),
        ("Single sign-on set-up", "Our identity provider asks for an entity id. Where do I find it?"),
        (
            "Webhook to our own service",
            "Which addresses do your webhooks come from? We have to open the firewall.",
        ),
        ("BigQuery region", "Our data set is in the EU. Does the connection stay there?"),
    ),
    "bug": (
        ("{feature} don't load", "Since this morning the page stays empty. The console shows a 500."),
        (
            "Totals differ from the rows",
            "The total is 1,204 and the rows add up to 1,198. Filtered by month.",
        ),
        ("Export stops at 10,000 rows", "The file ends in the middle of a line."),
        ("Wrong time zone in {feature}", "Times are shown one hour late since the clocks changed."),
    ),
    "billing": (
        ("Invoice address", "Please put our new address on the invoices from next month on."),
        ("How are seats counted?", "We removed two people, and the invoice still says twelve."),
        ("Purchase order number", "Our finance team can't pay without the order number on the invoice."),
    ),
    "request": (
        ("Dark mode for {feature}", "Our screens hang in a dark room. Could {feature} have a dark theme?"),
        ("Comment on a chart", "We would like to discuss a number where it stands."),
        ("More roles", "We need a role between viewer and editor."),
    ),
    "other": (
        ("Change of contact", "I am leaving at the end of the month; my colleague takes over."),
        ("Logo for our wiki", "May we use your logo on our internal pages?"),
    ),
}

LAUNCHED: tuple[tuple[str, str], ...] = (
    ("What is the assistant?", "There is a new button. What does the assistant do, and do we need it?"),
    ("Where do I find the assistant?", "I read about the assistant. Where do I start with it?"),
    ("What can I ask the assistant?", "What is the assistant for, and what does it see of our data?"),
)

OUTAGE: tuple[tuple[str, str], ...] = (
    ("Nothing loads", "Since some minutes every page stays empty."),
    ("Is the service down?", "We get errors everywhere. Are you working on it?"),
)

LEAVING: tuple[tuple[str, str], ...] = (
    ("How do we export all our data?", "We want a full copy of our reports and definitions."),
    ("How do I cancel?", "Where do I cancel the subscription, and until when is it paid?"),
    ("Cancel at the end of the term", "Please confirm that the contract is not renewed."),
)

NOTES: tuple[str, ...] = (
    "Good call with the BI lead. They rebuild the weekly report by hand.",
    "Demo for four people; asked for a trial with their own warehouse.",
    "Security questionnaire sent. Nothing unusual in it.",
    "Champion presents to the VP Data next week.",
    "They compare us with building it themselves.",
    "Procurement has the order form.",
    "Asked for references in their industry.",
    "Two teams would use it from the start.",
)
HEDGED: tuple[str, ...] = (
    "Not exactly our typical buyer, but the team is keen.",
    "A bit outside of what we usually sell to, could still work.",
    "Smaller than our profile; they say they grow fast.",
    "No warehouse yet, but they plan one. Not a perfect fit.",
    "Unusual use for us. I think we can make it work with some services.",
)
TIMING: tuple[str, ...] = (
    "Timing is open; the budget may come next quarter.",
    "Not sure about the timing, their fiscal year ends in March.",
    "They may not be able to start before autumn.",
)
PRICE: tuple[str, ...] = (
    "Budget looks thin, we may have to come down.",
    "They might not pay the list price.",
)
QUOTES: tuple[str, ...] = (
    "They said our price is not typical for them, discount asked.",
    'Customer: "you are not exactly our usual vendor, but we like the demo".',
    "The buyer told me that we are not a perfect fit for their tool chain yet.",
)
TEMPLATE = "Fit check (tick one): typical buyer / not exactly our typical buyer."
"""what a CRM's form puts into every note"""
BLOCKED: tuple[str, ...] = (
    "New CFO, centralised treasury since May. Nothing is bought before it settles.",
    "Centralised treasury is being set up; our contact has to wait.",
)
LOSSES: tuple[str, ...] = (
    "no decision", "price", "built it themselves", "chose another vendor", "champion left", "no budget", "missing feature",
)  # fmt: skip
