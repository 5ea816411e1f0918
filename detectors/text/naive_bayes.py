"""Multinomial naive Bayes over numbered words, all classes equally likely beforehand; it learns as texts come.

    P(word | class) = (count in class + alpha) / (all counts in class + alpha x words ever seen)

C. Manning, P. Raghavan, H. Schütze, "Introduction to Information Retrieval", 2008, chapter 13. The same as river's
``MultinomialNB`` with its prior set even (a test holds them equal), which is not used here: importing it takes more than a second
and 50 MB, in a service's midst, when the first ticket without a known category comes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import log


class NaiveBayes:
    """``classes``: how many; they are numbered from 0."""

    def __init__(self, classes: int, alpha: float) -> None:
        self._alpha = alpha
        self._totals = [0.0] * classes
        self._counts: dict[int, list[float]] = {}
        """word -> its count in each class"""

    def learn(self, of_class: int, counts: Mapping[int, float]) -> None:
        """``counts``: word -> how often."""
        for word, count in counts.items():
            row = self._counts.get(word)
            if row is None:
                row = self._counts[word] = [0.0] * len(self._totals)
            row[of_class] += count
        self._totals[of_class] += sum(counts.values())

    def log_likelihoods(self, words: Iterable[int]) -> list[float]:
        """Of each class, for a text that has each of these words once."""
        alpha = self._alpha
        nowhere = [0.0] * len(self._totals)
        rows = [self._counts.get(word, nowhere) for word in words]
        return [
            sum(log(row[number] + alpha) for row in rows) - len(rows) * log(total + alpha * len(self._counts))
            for number, total in enumerate(self._totals)
        ]
