"""Which partition a key belongs to: the same for whoever writes an event and for whoever looks its account up.

It is that of Kafka's own clients for records with a key (org.apache.kafka.clients.producer.internals.BuiltInPartitioner):
murmur2 of the key's bytes, made positive, modulo the number of partitions. So an event that another program wrote with
Kafka's default partitioner is where Plumbline looks for it.
"""

from __future__ import annotations

from aiokafka.partitioner import murmur2


def partition_of(key: str, partitions: int) -> int:
    """0 <= answer < ``partitions``. The key is hashed as UTF-8."""
    return int((murmur2(key.encode()) & 0x7FFFFFFF) % partitions)
