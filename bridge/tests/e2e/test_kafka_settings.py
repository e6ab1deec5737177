"""What `[kafka]` in the configuration sets, and what a start of the broker tells Kafka's clients."""
import pytest
from confluent_kafka import KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, OffsetSpec, ResourceType

from clients.confluent_client import acked, admin, consumer, create_topic, leave, poll, produce
from harness import Standpipe, until

SETTINGS = """
[kafka]
num_partitions = 3
group_initial_rebalance_delay = "3s"
group_min_session_timeout = "1s"
"""


@pytest.fixture
def settled(tmp_path):
    config = tmp_path / "k.toml"
    config.write_text(SETTINGS)
    broker = Standpipe(tmp_path / "log", config=config).start()
    yield broker
    broker.stop()


def joins(bootstrap, topic, session_ms) -> bool:
    """Whether a member with that session timeout gets its partitions; else it is told why not."""
    member = consumer(bootstrap, topic, **{"session.timeout.ms": session_ms, "heartbeat.interval.ms": 300})
    errors = []
    member.subscribe([topic])

    def known():
        message = member.poll(0.1)
        if message is not None and message.error():
            errors.append(message.error().code())
        return member.assignment() or errors
    until("partitions, or an error", known, 20)
    leave(member)
    assert not errors or errors[0] == KafkaError.INVALID_SESSION_TIMEOUT
    return not errors


def test_a_topic_that_is_made_without_a_number_has_as_many_partitions_as_set(settled, name):
    acked(produce(settled.kafka, name, [{"value": b"x"}]))
    client = admin(settled.kafka)
    client.create_topics([NewTopic(name + "-asked", -1, 1)])[name + "-asked"].result(15)
    for topic in (name, name + "-asked"):
        assert len(client.list_topics(timeout=10).topics[topic].partitions) == 3


def test_a_short_session_is_allowed_where_it_is_set_and_refused_by_default(settled, shared_broker, name):
    for broker, expected in [(settled, True), (shared_broker, False)]:
        create_topic(broker.kafka, name)
        assert joins(broker.kafka, name, 1_000) == expected


def test_two_that_start_together_share_the_first_generation(settled, name):
    create_topic(settled.kafka, name, 2)
    assigned = {0: [], 1: []}
    members = [consumer(settled.kafka, name, **{"session.timeout.ms": 6_000}) for _ in assigned]
    for number, member in enumerate(members):
        member.subscribe([name], on_assign=lambda _, got, n=number: assigned[n].append(len(got)))

    def shared():
        for member in members:
            member.poll(0.05)
        return all(assigned.values())
    until("both have theirs", shared, 20)
    for member in members:
        leave(member)
    assert assigned == {0: [1], 1: [1]}, "one rebalance was enough"


def test_settings_are_described_under_kafkas_names(settled):
    resource = ConfigResource(ResourceType.BROKER, "1")
    described = admin(settled.kafka).describe_configs([resource])[resource].result(15)
    told = {key: described[key].value for key in (
        "num.partitions", "group.initial.rebalance.delay.ms", "group.min.session.timeout.ms",
        "group.max.session.timeout.ms")}
    assert list(told.values()) == ["3", "3000", "1000", "1800000"], told


def test_the_leader_epoch_rises_with_each_start_and_a_reader_goes_on(durable, name):
    create_topic(durable.kafka, name)
    partition = TopicPartition(name, 0)

    def epoch() -> int:
        # A client of its own: one that has lost the broker answers for it until it is back.
        client = AdminClient({"bootstrap.servers": durable.kafka, "log_level": 0})
        listed = client.list_offsets({partition: OffsetSpec.latest()}, request_timeout=10)
        return listed[partition].result().leader_epoch

    acked(produce(durable.kafka, name, [{"value": b"before"}]))
    reader = consumer(durable.kafka, name)
    reader.subscribe([name])
    assert [m.value() for m in poll(reader, 1)] == [b"before"]
    first = epoch()
    durable.stop()
    durable.start()
    assert epoch() > first
    acked(produce(durable.kafka, name, [{"value": b"after"}]))
    assert [(m.value(), m.offset()) for m in poll(reader, 1)] == [(b"after", 1)]
    leave(reader)


def test_the_latest_offset_counts_what_was_answered_before(durable, name):
    create_topic(durable.kafka, name)
    client, partition = admin(durable.kafka), TopicPartition(name, 0)
    producer = Producer({"bootstrap.servers": durable.kafka, "acks": 1, "linger.ms": 0})
    for count in range(1, 51):
        producer.produce(name, b"x")
        assert producer.flush(10) == 0
        listed = client.list_offsets({partition: OffsetSpec.latest()}, request_timeout=10)
        assert listed[partition].result().offset == count
