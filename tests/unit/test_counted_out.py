"""Every reason for which a signal counts an observation out has its sentence."""

from __future__ import annotations

import pytest

from detectors.catalogue import SIGNALS
from detectors.signals.segmented import SegmentedSignal
from streams.web.counted_out import REASONS, counted_out_words


@pytest.mark.parametrize("name", SIGNALS)
def test_what_a_signal_leaves_out_is_explained(name: str) -> None:
    signal = SIGNALS[name]
    if issubclass(signal, SegmentedSignal):
        assert signal.left_out <= REASONS.keys()


def test_a_reason_without_a_sentence_speaks_for_itself() -> None:
    first, second = counted_out_words({"settling": 1200, "made_up": 3})
    assert (first.number, first.reason) == ("1,200", "settling")
    assert first.why.startswith("of the first four weeks")
    assert (second.reason, second.why) == ("made up", "")
