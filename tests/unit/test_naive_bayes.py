"""The classifier's arithmetic: river's multinomial naive Bayes, with an even prior."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from river.naive_bayes import MultinomialNB

from detectors.text.naive_bayes import NaiveBayes

CLASSES = 3
_texts = st.lists(
    st.tuples(
        st.integers(0, CLASSES - 1), st.dictionaries(st.integers(0, 20), st.sampled_from([0.25, 1.0, 3.0]))
    ),
    min_size=1,
    max_size=20,
)


@given(_texts, st.sets(st.integers(0, 25)), st.sampled_from([0.3, 1.0]))
def test_it_is_rivers(texts: list[tuple[int, dict[int, float]]], words: set[int], alpha: float) -> None:
    ours, rivers = NaiveBayes(CLASSES, alpha), MultinomialNB(alpha=alpha)
    for of_class, counts in [*texts, *((number, {21: 1.0}) for number in range(CLASSES))]:
        ours.learn(of_class, counts)
        rivers.learn_one(counts, of_class)
    rivers.class_counts = Counter(dict.fromkeys(range(CLASSES), 1))

    found = ours.log_likelihoods(sorted(words))

    theirs = rivers.joint_log_likelihood(dict.fromkeys(sorted(words), 1))
    # River adds the logarithm of the prior, which is the same for all.
    assert [each - found[0] for each in found] == pytest.approx(
        [theirs[number] - theirs[0] for number in range(CLASSES)], abs=1e-9
    )
