"""How the group's leader shares partitions out, by Faust's own protocol between members."""

from __future__ import annotations

import faust
import pytest
from aiokafka.cluster import ClusterMetadata

from streams.kafka.membership import EvenAssignor

EVENTS = {"crm.accounts", "product.events", "web.visits"}
OBSERVATIONS = "observations"


class Cluster(ClusterMetadata):  # type: ignore[misc]
    """Topics of events with as many partitions as given, and two of observations."""

    def __init__(self, partitions: int) -> None:
        super().__init__()
        self.partitions = partitions

    def partitions_for_topic(self, topic: str) -> set[int]:
        return set(range(2 if topic == OBSERVATIONS else self.partitions))


class Group:
    def __init__(self, partitions: int) -> None:
        self._cluster = Cluster(partitions)
        self._members: list[EvenAssignor] = []

    def join(self) -> None:
        app = faust.App("group", broker="memory://", table_standby_replicas=1, PartitionAssignor=EvenAssignor)
        self._members.append(app.assignor)

    def leave(self) -> None:
        self._members.pop(0)

    def shares(self) -> list[dict[str, set[int]]]:
        """What each member is given, by topic."""
        asked = {f"m{n}": member.metadata({*EVENTS, OBSERVATIONS}) for n, member in enumerate(self._members)}
        given = self._members[0].assign(self._cluster, asked)
        for n, member in enumerate(self._members):
            member.on_assignment(given[f"m{n}"])
        return [
            {topic: set(numbers) for topic, numbers in given[f"m{n}"].assignment} for n in range(len(asked))
        ]


@pytest.mark.parametrize("partitions", [4, 5, 8])
def test_shares_differ_by_one_at_most_whoever_comes_and_goes(partitions: int) -> None:
    group = Group(partitions)
    for change in (group.join, group.join, group.join, group.leave, group.join, group.join):
        change()
        shares = group.shares()
        events = [share.get("product.events", set()) for share in shares]
        assert sorted(number for share in events for number in share) == list(range(partitions))
        assert max(map(len, events)) - min(map(len, events)) <= 1
        observations = [share.get(OBSERVATIONS, set()) for share in shares]
        assert sorted(number for share in observations for number in share) == [0, 1]


def test_sibling_topics_stay_together() -> None:
    group = Group(4)
    for _ in range(3):
        group.join()
        for share in group.shares():
            of_events = [share.get(topic, set()) for topic in EVENTS]
            assert all(numbers == of_events[0] for numbers in of_events)
