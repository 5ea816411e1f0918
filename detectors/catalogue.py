"""Every detector and every drift signal by name. A new one is one file and one line here.

tests/contract/ runs the conformance checks of detectors/checks.py over both tables.
"""

from __future__ import annotations

from detectors.health.data_health import DataHealth
from detectors.sequential.bernoulli_mixture import BernoulliMixture
from detectors.sequential.cohort_excess import CohortExcess
from detectors.sequential.cohort_hazard import CohortHazard
from detectors.sequential.conjunction import Conjunction
from detectors.sequential.contract import Detector
from detectors.sequential.decile_cohorts import DecileCohorts
from detectors.sequential.decile_mixture import DecileMixture
from detectors.sequential.expected_events import ExpectedEvents
from detectors.sequential.exposure_mixture import ExposureMixture
from detectors.sequential.graded_excess import GradedExcess
from detectors.sequential.river_detector import RiverDetector
from detectors.sequential.taxonomy_mixture import TaxonomyMixture
from detectors.sequential.trend_mixture import TrendMixture
from detectors.signals.clg_churn_cohorts import ChurnCohorts
from detectors.signals.clg_roadmap_onboarding import RoadmapOnboarding
from detectors.signals.clg_support_burden import SupportBurden
from detectors.signals.contract import Signal
from detectors.signals.plg_adoption_breadth import AdoptionBreadth
from detectors.signals.plg_conversion_gap import ConversionGap
from detectors.signals.plg_ticket_comprehension import TicketComprehension
from detectors.signals.slg_aged_win_rate import AgedWinRate
from detectors.signals.slg_cycle_spread import CycleSpread
from detectors.signals.slg_hedged_language import HedgedLanguage
from detectors.signals.slg_off_profile_pipeline import OffProfilePipeline
from schemas.settings import DriftSettings

DETECTORS: dict[str, type[Detector]] = {
    "bernoulli_mixture": BernoulliMixture,
    "cohort_excess": CohortExcess,
    "cohort_hazard": CohortHazard,
    "conjunction": Conjunction,
    "decile_mixture": DecileMixture,
    "decile_cohorts": DecileCohorts,
    "expected_events": ExpectedEvents,
    "exposure_mixture": ExposureMixture,
    "graded_excess": GradedExcess,
    "river": RiverDetector,
    "taxonomy_mixture": TaxonomyMixture,
    "trend_mixture": TrendMixture,
}

SIGNALS: dict[str, type[Signal]] = {
    AdoptionBreadth.name: AdoptionBreadth,
    AgedWinRate.name: AgedWinRate,
    ChurnCohorts.name: ChurnCohorts,
    ConversionGap.name: ConversionGap,
    CycleSpread.name: CycleSpread,
    HedgedLanguage.name: HedgedLanguage,
    OffProfilePipeline.name: OffProfilePipeline,
    RoadmapOnboarding.name: RoadmapOnboarding,
    SupportBurden.name: SupportBurden,
    TicketComprehension.name: TicketComprehension,
}

VERDICTS_OF: tuple[str, ...] = (*SIGNALS, DataHealth.name)
"""What verdicts and alerts name as their signal."""


def monitors(settings: DriftSettings) -> int:
    """How many share the installation's budget of false alarms: each signal may have as many as it may have segments."""
    return settings.max_segments * len(SIGNALS)


def signals(settings: DriftSettings) -> list[Signal]:
    """All signals as the settings want them."""
    return [signal.configured(settings, monitors(settings)) for signal in SIGNALS.values()]
