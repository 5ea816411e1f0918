"""Change detectors over a stream of observations: one class a file, all of them keep contract.py.

A detector holds parameters only; what it has learned is in the state that the caller keeps. All have ``new_state()``,
``update(state, value, at)``, ``statistic(state)``, ``change(state)``, ``encode_state(state)``, ``decode_state(raw)`` and
``unit``: what their false-alarm promise is counted in. The promise is one sentence for all that have a unit: *while
nothing changes, the average of units until the statistic reaches a threshold A is at least A*. contract.threshold(...)
turns "so many false alarms a year" into A by the observed flow of units. A baseline that was estimated is paid for in
the null: ``from_baseline`` of each class takes its counts, a confidence level, and the dispersion of its own past (1 where
observations are independent; dispersion.py measures it).

============================ ================================================ ====================== ======================
file: class                  made by                                          value of ``update``    unit
============================ ================================================ ====================== ======================
bernoulli_mixture:           BernoulliMixture(low=, high=, direction=,        0 or 1                 observations
BernoulliMixture             dispersion=1) or .from_baseline(ones, n,
                             direction=, level=0.9, dispersion=1);
                             direction "fall", "rise" or "both"
exposure_mixture:            ExposureMixture(low=, high=, direction=,         Exposed(one, share):   observations
ExposureMixture              dispersion=1), bounds of the rate ratio, or      0 or 1, and the
                             .from_baseline(strata, ...) with strata          exposure share of ones
                             [Stratum(share, n, ones)]                        at that time, in (0, 1)
taxonomy_mixture:            TaxonomyMixture.from_baseline(counts,            category, 0 to K - 1   observations
TaxonomyMixture              level=0.9, dispersion=1)
cohort_hazard:               CohortHazard.from_baseline(conversions, at_risk, CohortEvent(kind,      days
CohortHazard                 level=, strengths=): by days since start,        began): "entered",
                             up to the horizon                                "converted" or "left"
cohort_excess:               CohortExcess(high=, dispersion=1), bound of      Acquired(began,        days (of
CohortExcess                 observed / expected, or .from_baseline(events,   observed, expected):   acquisition)
                             level=0.9, dispersion=1)                         by when they were
                                                                              acquired
graded_excess:               GradedExcess(highs=, dispersion=1), bounds of    Graded(began, grade,   days (of cohorts)
GradedExcess                 observed / expected by grade, or                 observed, expected):
                             .from_baseline(events, level=0.8, dispersion=1)  the same, by grade
expected_events:             ExpectedEvents(low=, high=, direction=,          Counted(observed,      expected events
ExpectedEvents               dispersion=1), bounds of observed / expected,    expected): events
                             or .from_baseline(observed, expected, ...)       that came, and that the
                                                                              baseline's hazard wants
decile_mixture:              DecileMixture.from_baseline(n, level=0.9,        part, 0 to 11, by      observations
DecileMixture                dispersion=1); decile_edges(values),             decile_of(edges,
                             decile_of(edges, value)                          value)
decile_cohorts:              DecileCohorts.from_baseline(n, level=0.9,        Known(beyond, place,   observations
DecileCohorts                dispersion=1): of values that become known       ended): what became
                             bit by bit, by when they began                   known
trend_mixture:               TrendMixture.from_baseline(values, level=0.9,    a number               observations
TrendMixture                 direction="rise" or "fall", dispersion=1)
conjunction:                 Conjunction(first, second, scales=(1, 1)):       Of(0 or 1, value):     that of ``first``
Conjunction                  minimum of scale x statistic                     which one, its value
river_detector:              RiverDetector(name, **river's parameters), name  a number; 0 or 1 for   none: alarm at 1
RiverDetector                adwin, page_hinkley, kswin or hddm_a             hddm_a
============================ ================================================ ====================== ======================

Beside them: binomial_interval.py (exact bounds of a share), dispersion.py (``dispersion(groups)`` of [(n, ones)] by week,
``poisson_dispersion`` of [(observed, expected)]), spread_labels.py (``label_spread(baseline, recent)`` for cycle lengths:
"wider", "two clusters", "longer tail" or None, by Brown-Forsythe and a calibrated bimodality coefficient).
"""
