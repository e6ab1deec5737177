"""Retention by key, from outside: the newest of each key stays where it is, the rest goes."""
import json

import pytest
from confluent_kafka import KafkaError, TopicPartition
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from clients.confluent_client import acked, admin, consumer, create_topic, produce
from harness import until


def everything(bootstrap, topic) -> list:
    """What a reader from the beginning sees, in its order: offset, key, value."""
    reader = consumer(bootstrap, **{"enable.partition.eof": True})
    reader.assign([TopicPartition(topic, 0, 0)])
    seen = []
    while True:
        message = reader.poll(20)
        assert message is not None, f"nothing behind {len(seen)} messages"
        if message.error():
            assert message.error().code() == KafkaError._PARTITION_EOF
            reader.close()
            return seen
        seen.append((message.offset(), message.key(), message.value()))


def newest_of(seen) -> dict:
    return {key: (offset, value) for offset, key, value in seen}


def described(broker, topic) -> dict:
    done = broker.run("topic", "describe", topic, "--json", "--address", f"standpipe://{broker.native}")
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def configs(bootstrap, topic) -> dict:
    resource = ConfigResource(ResourceType.TOPIC, topic)
    found = admin(bootstrap).describe_configs([resource])[resource].result(15)
    return {name: entry.value for name, entry in found.items()}


def alter(bootstrap, topic, **values):
    entries = [ConfigEntry(name.replace("_", "."), value, incremental_operation=AlterConfigOpType.SET)
               for name, value in values.items()]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    admin(bootstrap).incremental_alter_configs([resource])[resource].result(15)


@pytest.mark.parametrize("codec", ["none", "zstd"])
def test_the_newest_of_each_key_is_left_at_its_offset_and_a_restart_changes_nothing(durable, name, codec):
    create_topic(durable.kafka, name, **{"cleanup.policy": "compact"})
    count, keys = 100_000, 1000
    messages = [{"key": b"%d" % (i % keys), "value": b"%099d" % i} for i in range(count)]
    acked(produce(durable.kafka, name, messages, **{"compression.type": codec, "batch.num.messages": "500"}))

    def is_small():
        return len(everything(durable.kafka, name)) == keys
    until("what is replaced is gone", is_small, seconds=40, every=1)
    for restarted in (False, True):
        if restarted:
            durable.kill()
            durable.start()
        seen = everything(durable.kafka, name)
        offsets = [offset for offset, _, _ in seen]
        assert offsets == sorted(set(offsets))
        assert all(value == b"%099d" % offset and key == b"%d" % (offset % keys) for offset, key, value in seen)
        expected = {b"%d" % (i % keys): (i, b"%099d" % i) for i in range(count - keys, count)}
        assert newest_of(seen) == expected
        (partition,) = described(durable, name)["partitions"]
        assert (partition["start"], partition["end"]) == (0, count)


def test_a_tombstone_is_seen_for_its_grace_and_then_its_key_is_gone(durable, name):
    create_topic(durable.kafka, name, **{"delete.retention.ms": "8000", "cleanup.policy": "compact"})
    one = {"partition": 0}
    for key, value in [(b"a", b"1"), (b"b", b"1"), (b"a", None)]:
        acked(produce(durable.kafka, name, [{"key": key, "value": value, **one}]))
    until("the value is gone and the tombstone is there",
          lambda: everything(durable.kafka, name) == [(1, b"b", b"1"), (2, b"a", None)], every=0.2)
    until("the tombstone is gone", lambda: everything(durable.kafka, name) == [(1, b"b", b"1")],
          seconds=40, every=0.5)
    acked(produce(durable.kafka, name, [{"key": b"a", "value": b"2", **one}]))
    assert everything(durable.kafka, name) == [(1, b"b", b"1"), (3, b"a", b"2")]


def test_a_key_goes_out_of_the_middle_of_a_batch(durable, name):
    create_topic(durable.kafka, name, **{"cleanup.policy": "compact", "delete.retention.ms": "1000"})
    together = {"linger.ms": "1000", "compression.type": "lz4"}
    acked(produce(durable.kafka, name, [{"key": b"%d" % i, "value": b"v", "timestamp": 5000 + i,
                                         "headers": [("h", None)]} for i in range(100)], **together))
    acked(produce(durable.kafka, name, [{"key": b"%d" % i, "value": None} for i in range(10, 20)], **together))
    expected = [(i, b"%d" % i, b"v") for i in range(100) if not 10 <= i < 20]
    until("ten keys are gone, tombstones and all", lambda: everything(durable.kafka, name) == expected,
          seconds=40, every=0.5)
    reader = consumer(durable.kafka)
    reader.assign([TopicPartition(name, 0, 15)])
    message = reader.poll(20)
    assert (message.offset(), message.timestamp()[1], message.headers()) == (20, 5020, [("h", None)])
    reader.close()


def test_a_record_without_a_key_is_refused(shared_broker, name):
    create_topic(shared_broker.kafka, name, **{"cleanup.policy": "compact"})
    ((error, _),) = produce(shared_broker.kafka, name, [{"value": b"x"}])
    assert error.code() == KafkaError.INVALID_RECORD
    acked(produce(shared_broker.kafka, name, [{"key": b"", "value": b"x"}]))


def test_a_topic_is_compacted_from_when_it_is_asked_for_until_it_is_not(shared_broker, name):
    kafka = shared_broker.kafka
    create_topic(kafka, name, **{"retention.ms": "-1"})
    for value in (b"1", b"2"):
        acked(produce(kafka, name, [{"key": b"k", "value": value}]))
    alter(kafka, name, cleanup_policy="compact,delete", delete_retention_ms="60000")
    found = configs(kafka, name)
    assert (found["cleanup.policy"], found["delete.retention.ms"], found["retention.ms"]) == (
        "compact,delete", "60000", "-1")
    until("the older one is gone", lambda: everything(kafka, name) == [(1, b"k", b"2")], every=0.2)
    alter(kafka, name, cleanup_policy="delete")
    assert described(shared_broker, name)["retention"] == "forever"
    acked(produce(kafka, name, [{"key": b"k", "value": b"3"}]))
    assert len(everything(kafka, name)) == 2
