"""Keys go where Kafka's own clients put them."""

from __future__ import annotations

import aiokafka.partitioner
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.kafka.partitioning import partition_of

# Printed by org.apache.kafka.common.utils.Utils (toPositive(murmur2(bytes)) % n) of kafka-clients 4.2.0.
JAVA = [
    ("", 9, 25),
    ("a", 4, 60),
    ("ab", 2, 42),
    ("abc", 3, 27),
    ("abcd", 8, 52),
    ("acct-42", 3, 7),
    ("a-little-bit-long-string", 8, 32),
    ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", 5, 13),
    ("Müller & Söhne/Köln", 9, 53),
    ("visitor:v1", 5, 45),
    ("客户-1", 5, 37),
    ("emoji 😀 id", 3, 63),
    ("plg.conversion_gap", 6, 34),
    ("acct-0", 0, 12),
    ("acct-1", 2, 62),
    ("acct-2", 11, 19),
]


@pytest.mark.parametrize(("key", "of_12", "of_64"), JAVA)
def test_as_the_java_client(key: str, of_12: int, of_64: int) -> None:
    assert partition_of(key, 1) == 0
    assert partition_of(key, 12) == of_12
    assert partition_of(key, 64) == of_64


@given(key=st.text(), partitions=st.integers(1, 1000))
def test_as_the_client_that_plumbline_writes_with(key: str, partitions: int) -> None:
    every = list(range(partitions))
    chosen = aiokafka.partitioner.DefaultPartitioner()(key.encode(), every, every)
    assert partition_of(key, partitions) == chosen
