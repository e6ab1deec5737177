"""Topics, configurations and the cluster through Kafka's admin calls; on Apache Kafka and on us."""
import pytest
from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import (AclOperation, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic,
                                   OffsetSpec, ResourceType)

from clients.confluent_client import acked, admin, consumer, create_topic, leave, produce, read, watermarks
from harness import until


def failure(future) -> int:
    with pytest.raises(KafkaException) as caught:
        future.result(15)
    return caught.value.args[0].code()


def partitions(client, topic) -> int:
    return len(client.list_topics(timeout=10).topics[topic].partitions)


def test_a_created_topic_is_listed_with_its_partitions(bootstrap, name):
    client = admin(bootstrap)
    create_topic(bootstrap, name, 3)
    found = client.list_topics(timeout=10)
    assert len(found.topics[name].partitions) == 3
    broker = found.brokers[found.controller_id]
    assert f"{broker.host}:{broker.port}" == bootstrap, "advertised as the client connected"
    assert all(p.leader in found.brokers for p in found.topics[name].partitions.values())


def test_creating_what_is_there_is_refused(bootstrap, name):
    create_topic(bootstrap, name)
    future = admin(bootstrap).create_topics([NewTopic(name, 1, 1)])[name]
    assert failure(future) == KafkaError.TOPIC_ALREADY_EXISTS


@pytest.mark.parametrize("wrong, code", [
    (dict(num_partitions=0), KafkaError.INVALID_PARTITIONS),
    (dict(replication_factor=3), KafkaError.INVALID_REPLICATION_FACTOR),
    (dict(config={"no.such.config": "1"}), KafkaError.INVALID_CONFIG),
])
def test_wrong_topics_are_refused(bootstrap, name, wrong, code):
    topic = NewTopic(name, **{"num_partitions": 1, "replication_factor": 1, **wrong})
    assert failure(admin(bootstrap).create_topics([topic])[name]) == code


@pytest.mark.parametrize("bad", ["a/b", "..", "x" * 250, "with space"])
def test_names_that_kafka_does_not_allow_are_refused(bootstrap, bad):
    future = admin(bootstrap).create_topics([NewTopic(bad, 1, 1)])[bad]
    assert failure(future) == KafkaError.TOPIC_EXCEPTION


def test_validate_only_creates_nothing(bootstrap, name):
    client = admin(bootstrap)
    client.create_topics([NewTopic(name, 1, 1)], validate_only=True)[name].result(15)
    assert name not in client.list_topics(timeout=10).topics


def test_a_deleted_topic_is_gone_and_comes_back_empty(bootstrap, name):
    client = admin(bootstrap)
    create_topic(bootstrap, name)
    acked(produce(bootstrap, name, [{"value": b"old"}] * 3))
    client.delete_topics([name])[name].result(15)
    until("it is gone", lambda: name not in client.list_topics(timeout=10).topics)
    create_topic(bootstrap, name)
    assert watermarks(bootstrap, name) == (0, 0)
    acked(produce(bootstrap, name, [{"value": b"new"}]))
    assert [m.value() for m in read(bootstrap, name, 1)] == [b"new"]


def test_deleting_what_is_missing_is_refused(bootstrap, name):
    assert failure(admin(bootstrap).delete_topics([name])[name]) == KafkaError.UNKNOWN_TOPIC_OR_PART


def test_partitions_are_added_and_never_taken(bootstrap, name):
    client = admin(bootstrap)
    create_topic(bootstrap, name, 2)
    acked(produce(bootstrap, name, [{"value": b"x"}] * 10))
    client.create_partitions([NewPartitions(name, 5)])[name].result(15)
    until("five", lambda: partitions(client, name) == 5)
    acked(produce(bootstrap, name, [{"value": b"y", "partition": 4}]))
    assert len(read(bootstrap, name, 11)) == 11
    assert failure(client.create_partitions([NewPartitions(name, 3)])[name]) == KafkaError.INVALID_PARTITIONS


def test_offsets_are_listed_by_spec(bootstrap, name):
    create_topic(bootstrap, name)
    stamps = [1_000_000, 3_000_000, 2_000_000]
    acked(produce(bootstrap, name, [{"value": b"x", "timestamp": t} for t in stamps]))
    client, partition = admin(bootstrap), TopicPartition(name, 0)

    def offset(spec):
        return client.list_offsets({partition: spec}, request_timeout=10)[partition].result().offset
    assert offset(OffsetSpec.earliest()) == 0
    assert offset(OffsetSpec.latest()) == 3
    assert offset(OffsetSpec.max_timestamp()) == 1
    assert offset(OffsetSpec.for_timestamp(1_500_000)) == 1


def test_topic_configs_are_described_as_set(bootstrap, name):
    create_topic(bootstrap, name, **{"retention.ms": "3600000", "cleanup.policy": "delete"})
    resource = ConfigResource(ResourceType.TOPIC, name)
    described = admin(bootstrap).describe_configs([resource])[resource].result(15)
    assert described["retention.ms"].value == "3600000"
    assert described["cleanup.policy"].value == "delete"
    assert "max.message.bytes" in described


def test_topic_configs_are_altered_one_by_one(bootstrap, name):
    client = admin(bootstrap)
    create_topic(bootstrap, name, **{"retention.ms": "3600000"})

    def alter(setting, value, operation=AlterConfigOpType.SET):
        entry = ConfigEntry(setting, value, incremental_operation=operation)
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=[entry])
        return client.incremental_alter_configs([resource])[resource]

    def described(setting):
        resource = ConfigResource(ResourceType.TOPIC, name)
        return client.describe_configs([resource])[resource].result(15)[setting].value

    alter("retention.bytes", "1000000").result(15)
    until("the new size holds", lambda: described("retention.bytes") == "1000000")
    assert described("retention.ms") == "3600000"
    alter("retention.ms", None, AlterConfigOpType.DELETE).result(15)
    until("the default holds", lambda: described("retention.ms") == "604800000")
    assert failure(alter("retention.ms", "soon")) == KafkaError.INVALID_CONFIG


def test_broker_configs_are_described(bootstrap):
    client = admin(bootstrap)
    node = next(iter(client.list_topics(timeout=10).brokers))
    resource = ConfigResource(ResourceType.BROKER, str(node))
    assert client.describe_configs([resource])[resource].result(15)


def test_the_cluster_is_described(bootstrap):
    described = admin(bootstrap).describe_cluster(request_timeout=10).result()
    assert described.cluster_id
    assert f"{described.controller.host}:{described.controller.port}" == bootstrap
    assert len(described.nodes) == 1


def test_whoever_asks_is_told_the_allowed_operations(bootstrap, name):
    create_topic(bootstrap, name)
    client = admin(bootstrap)
    described = client.describe_cluster(include_authorized_operations=True, request_timeout=10).result()
    assert {AclOperation.CREATE, AclOperation.DESCRIBE, AclOperation.ALTER} <= set(described.authorized_operations)
    topics = client.describe_topics(TopicCollection([name]), include_authorized_operations=True)
    allowed = set(topics[name].result(15).authorized_operations)
    assert allowed == {AclOperation.READ, AclOperation.WRITE, AclOperation.CREATE, AclOperation.DELETE,
                       AclOperation.ALTER, AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS,
                       AclOperation.ALTER_CONFIGS}


def test_a_setting_says_where_its_value_would_come_from(bootstrap, name):
    create_topic(bootstrap, name, **{"max.message.bytes": "5000"})
    resource = ConfigResource(ResourceType.TOPIC, name)
    described = admin(bootstrap).describe_configs([resource])[resource].result(15)
    synonyms = described["max.message.bytes"].synonyms
    assert list(synonyms) == ["max.message.bytes", "message.max.bytes"]
    assert [one.value for one in synonyms.values()][0] == "5000"
    assert list(described["cleanup.policy"].synonyms) == ["log.cleanup.policy"]


def test_a_topic_that_is_missing_is_told_and_not_made_by_a_consumer(bootstrap, name):
    reader = consumer(bootstrap, name, **{"allow.auto.create.topics": False})
    reader.subscribe([name])

    def error():
        return next((m.error() for m in reader.consume(10, 0.2) if m.error()), None)
    assert until("an error", error).code() == KafkaError.UNKNOWN_TOPIC_OR_PART
    leave(reader)
    assert name not in admin(bootstrap).list_topics(timeout=10).topics
