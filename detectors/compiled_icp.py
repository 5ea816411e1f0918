"""One version of the ICP file, made runnable: its variants, and one matcher over everything that asks for events."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from detectors.acquisition import Acquisition
from detectors.matching import Matcher, Predicate, compile_node
from detectors.scoring import CompiledVariant
from detectors.signals.contract import Milestone
from detectors.text import kinds_by_spelling
from detectors.triggers import CompiledTrigger
from schemas.conditions import Condition
from schemas.icp import ICP, Blocker


class MilestoneRule(Struct):
    milestone: Milestone
    gate: Predicate


class TriggerRule(Struct):
    variant: CompiledVariant
    trigger: CompiledTrigger


class BlockerRule(Struct):
    variant: CompiledVariant
    blocker: Blocker
    gate: Predicate


class DisqualifierRule(Struct):
    variant: CompiledVariant
    name: str
    gate: Predicate


Rule = MilestoneRule | TriggerRule | BlockerRule | DisqualifierRule


class CompiledICP:
    """One version of the ICP file, ready to run."""

    def __init__(self, icp: ICP, late_after_s: float) -> None:
        self.written = icp
        self.effective_from = icp.effective_from.timestamp()
        self.variants = [CompiledVariant(variant, late_after_s) for variant in icp.variants]
        self.by_name = {variant.name: variant for variant in self.variants}
        self.acquisition = Acquisition(icp.sources)
        self.ticket_kinds = kinds_by_spelling(icp.tickets)
        keys = [trigger.key for variant in self.variants for trigger in variant.triggers]
        if len(set(keys)) != len(keys):
            raise ValueError("two triggers have the same stored name; rename one of them")
        self.matcher: Matcher[Rule] = Matcher(list(self._rules()))

    def _rules(self) -> Sequence[tuple[Condition, Rule]]:
        found: list[tuple[Condition, Rule]] = []
        for milestone in ("signed_up", "activated", "onboarded", "converted", "churned"):
            condition = getattr(self.written.lifecycle, milestone)
            if condition is not None:
                found.append((condition, MilestoneRule(milestone, compile_node(condition.of_account))))
        for variant in self.variants:
            found += [(trigger.written.when, TriggerRule(variant, trigger)) for trigger in variant.triggers]
            found += [
                (rule.when, BlockerRule(variant, rule, compile_node(rule.when.of_account)))
                for rule in variant.written.blockers
                if rule.when.event is not None
            ]
            found += [
                (rule.when, DisqualifierRule(variant, rule.name, compile_node(rule.when.of_account)))
                for rule in variant.written.disqualifiers
                if rule.when.event is not None
            ]
        return found
