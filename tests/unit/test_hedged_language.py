"""Hedged language in notes: what counts, what is taken back, who says it, and what the evidence shows."""

from __future__ import annotations

import pytest

from detectors.text import Hedge, hedges_in, phrases_of
from detectors.text.hedge_lexicon import CLASSES
from detectors.text.hedging import MAX_HEDGES, MAX_PHRASE
from detectors.text.word_classes import WordClasses, split_words

FIT = [
    "Not exactly our typical buyer, but the CTO loves it.",
    "They’re not really our ideal customer profile",
    "hardly a textbook account",
    "Falls outside our ICP (8 employees).",
    "off-profile, urgent",
    "Not sure they fit our ICP.",
    "It's a bit of a stretch.",
    "we don't usually sell to agencies but",
    "My manager said it's not our typical buyer, going anyway.",
    'We call it a "standard" fit, but it is "not really" our segment.',
    "Unlike our usual customers, no CRM.",
    "Some question marks about the fit.",
    "They like it - not our usual customer though",
]
TAKEN_BACK = [
    "Not unlike our usual buyers.",
    "No doubt about fit.",
    "There's no doubt they fit our ICP.",
    "Nothing unusual about the account.",
    "By no means an edge case.",
    "I can't say they are not our typical buyer.",
    "It isn't outside our ICP.",
    "Let's not call this a stretch.",
    "Not only our typical buyer but the best one.",
    "If they're outside our ICP we should walk.",
]
NOT_THE_SELLERS = [
    "They said our price is not typical.",
    "Customer told us this is not their typical purchase.",
    '"Not our usual supplier at all", said the CFO.',
    'He wrote: "we buy seldom. You are not the ideal fit for our team" and left',
    "> we are not sure you are a good fit",
    "CFO: not a perfect match for us, but go on",
    "They are not sure we are a good fit.",
    "Their current tool is not a good fit.",
    "They don't usually take calls from vendors.",
]
ELSEWHERE = [
    ("timing", "Not our usual timeline."),
    ("timing", "Timing is a bit of a stretch."),
    ("timing", "Great fit, but not sure they sign this quarter."),
    ("timing", "They are not sure about the timeline."),
    ("timing", "Might slip to Q3."),
    ("price", "Budget is a stretch."),
    ("price", "Not our typical discount."),
    ("price", "Perfect fit, not sure about budget."),
    ("price", "The price may be an issue."),
]


@pytest.mark.parametrize("note", FIT)
def test_a_hedge_about_fit_is_found(note: str) -> None:
    assert {hedge.about for hedge in hedges_in(note)} == {"fit"}


@pytest.mark.parametrize("note", TAKEN_BACK)
def test_a_negated_or_conditional_hedge_is_none(note: str) -> None:
    assert hedges_in(note) == ()


@pytest.mark.parametrize("note", NOT_THE_SELLERS)
def test_what_the_customer_says_or_another_product_is_is_none(note: str) -> None:
    assert hedges_in(note) == ()


@pytest.mark.parametrize(("about", "note"), ELSEWHERE)
def test_timing_and_price_are_counted_apart(about: str, note: str) -> None:
    assert {hedge.about for hedge in hedges_in(note)} == {about}


def test_a_note_can_hedge_about_several_things() -> None:
    hedges = hedges_in("Not our typical buyer, and the budget is tight. It may slip. Not our typical buyer!")

    assert [hedge.about for hedge in hedges] == ["fit", "price", "timing", "fit"]
    assert phrases_of(hedges, "fit") == ("not our typical buyer",)


def test_the_evidence_is_the_phrase_with_its_place() -> None:
    note = "Nice call. They are NOT  our\ttypical Buyer, but keen"

    (hedge,) = hedges_in(note)

    assert hedge == Hedge("fit", "not our typical buyer", note.index("NOT"), note.index(", but"))


def test_a_word_that_is_not_of_the_lexicon_is_not_shown() -> None:
    (hedge,) = hedges_in("Not our typical Bob@acme.example Miller customer")
    (other,) = hedges_in("Not the typical Miller customer")

    assert hedge.phrase == "not our typical"
    assert other.phrase == "not the typical … customer"


def test_the_firms_own_phrases_count_and_can_be_passed_over() -> None:
    own = {"fit": ["outside our sandbox", "nicht ganz unser üblicher Kunde"], "timing": ["after the-thaw"]}
    passed = {"not_hedging": ["not our typical reseller"]}

    assert [h.phrase for h in hedges_in("Well OUTSIDE our  sandbox", own)] == ["outside our sandbox"]
    assert [h.about for h in hedges_in("Nicht ganz unser UBLICHER kunde", own)] == ["fit"]
    assert [h.about for h in hedges_in("starts after the thaw", own)] == ["timing"]
    assert hedges_in("not outside our sandbox", own) == ()
    assert hedges_in("They said it is outside our sandbox", own) == ()
    assert hedges_in("Not our typical reseller", passed) == ()
    assert hedges_in("Not our typical reseller", None) != ()


def test_a_phrase_of_the_firms_may_begin_like_a_longer_one_of_the_lexicon() -> None:
    own = {"not_hedging": ["edge case"]}

    assert hedges_in("an edge case", own) == ()
    assert hedges_in("an edge case for legal, and off profile", own)[0].phrase == "off profile"


def test_a_note_has_a_bounded_number_of_hedges() -> None:
    assert len(hedges_in("Off profile. " * 100)) == MAX_HEDGES


def test_a_phrase_is_bounded() -> None:
    own = {"fit": [" ".join(["incomprehensibilities"] * 8)[:80]]}

    (hedge,) = hedges_in(own["fit"][0], own)

    assert len(hedge.phrase) <= MAX_PHRASE


def test_each_word_of_the_lexicon_has_one_class() -> None:
    seen: dict[tuple[str, ...], str] = {}
    for name, words in CLASSES.items():
        for word in words.split(", "):
            assert seen.setdefault(tuple(split_words(word)), name) == name


def test_a_word_in_two_classes_is_refused() -> None:
    with pytest.raises(ValueError, match="two classes"):
        WordClasses({"A": ["one"], "B": ["one"]}, {})


def test_a_phrase_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="1 to 8 words"):
        WordClasses({}, {"fit": ["a " * 9]})
