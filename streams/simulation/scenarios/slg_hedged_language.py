"""slg.hedged_language: "Not exactly our typical buyer, but"."""

from __future__ import annotations

import msgspec

from streams.simulation.happenings import Happening
from streams.simulation.scenario import Plant, Scenario
from streams.simulation.scenarios.companies import SALES_LED

SIGNAL = "slg.hedged_language"

SCENARIOS: tuple[Scenario, ...] = (
    msgspec.structs.replace(
        SALES_LED,
        name="slg-hedged-notes",
        about="From a day on three times as many opportunities have a note that hedges about fit.",
        drifts=(SIGNAL,),
        plants=(
            Plant(lever="hedged_notes", factor=3.0, because="the pipeline is thin, so near-fits are taken"),
        ),
    ),
    msgspec.structs.replace(
        SALES_LED,
        name="slg-one-rep-hedges",
        about="From a day on one of the reps hedges in ten times as many opportunities.",
        drifts=(SIGNAL,),
        reps=4,
        plants=(
            Plant(
                lever="hedged_notes",
                factor=10.0,
                segment={"rep": "rep-02"},
                because="the rep's territory is sold out",
            ),
        ),
    ),
    msgspec.structs.replace(
        SALES_LED,
        name="slg-hedging-rep-joins",
        about="A rep joins, takes every tenth opportunity and hedges in all of them; the others write as before.",
        resembles=SIGNAL,
        happenings=(Happening(kind="rep_joined", because="it is that rep's way of writing: mix, not rate"),),
    ),
    msgspec.structs.replace(
        SALES_LED,
        name="slg-note-template",
        about="The CRM puts a phrase with a hedge in front of every note.",
        resembles=SIGNAL,
        ill="crm.stage_changed",
        happenings=(Happening(kind="note_template", because="the form of notes got a check list"),),
    ),
)
