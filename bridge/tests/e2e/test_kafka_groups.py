"""Consumer groups: joining, sharing, committing, leaving; on Apache Kafka and on us."""
import pytest
from confluent_kafka import ConsumerGroupState, ConsumerGroupTopicPartitions, KafkaException, TopicPartition

from clients.confluent_client import acked, admin, consumer, create_topic, leave, poll, produce
from harness import until

FAST = {"session.timeout.ms": 6_000, "heartbeat.interval.ms": 500}


@pytest.fixture
def topic(bootstrap, name):
    create_topic(bootstrap, name, 4)
    acked(produce(bootstrap, name, [{"value": str(i).encode(), "partition": i % 4} for i in range(400)]))
    return name


def joined(bootstrap, group, topic, **conf):
    member = consumer(bootstrap, group, **FAST, **conf)
    member.subscribe([topic])
    return member


def assigned(*members) -> list[list[int]]:
    for member in members:
        member.poll(0.05)
    return [sorted(p.partition for p in member.assignment()) for member in members]


@pytest.mark.parametrize("strategy", ["range", "roundrobin", "cooperative-sticky"])
def test_two_members_share_the_partitions_and_one_takes_over(bootstrap, topic, strategy):
    conf = {"partition.assignment.strategy": strategy, "auto.offset.reset": "latest"}
    first = joined(bootstrap, topic, topic, **conf)
    until("the first has all", lambda: assigned(first) == [[0, 1, 2, 3]], 30)
    second = joined(bootstrap, topic, topic, **conf)

    def shared():
        a, b = assigned(first, second)
        return len(a) == len(b) == 2 and sorted(a + b) == [0, 1, 2, 3]
    until("two each", shared, 30)
    leave(second)
    until("the first has all again", lambda: assigned(first) == [[0, 1, 2, 3]], 30)
    leave(first)


def test_two_groups_each_get_everything(bootstrap, topic):
    for group in (topic + "-a", topic + "-b"):
        member = joined(bootstrap, group, topic)
        assert sorted(int(m.value()) for m in poll(member, 400)) == list(range(400))
        leave(member)


def test_a_commit_is_where_the_next_member_goes_on(bootstrap, topic):
    first = joined(bootstrap, topic, topic)
    seen = poll(first, 150)
    first.commit(asynchronous=False)
    leave(first)
    second = joined(bootstrap, topic, topic)
    rest = poll(second, 250)
    assert sorted(int(m.value()) for m in seen + rest) == list(range(400))
    assert second.consume(1, 0.5) == []
    leave(second)


def test_without_a_commit_everything_comes_again(bootstrap, topic):
    for _ in range(2):
        member = joined(bootstrap, topic, topic)
        assert len(poll(member, 400)) == 400
        leave(member)


def test_committed_offsets_and_metadata_are_read_back(bootstrap, topic):
    member = joined(bootstrap, topic, topic)
    poll(member, 10)
    sent = [TopicPartition(topic, p, 10 + p, f"note {p}") for p in range(3)]
    member.commit(offsets=sent, asynchronous=False)
    got = member.committed([TopicPartition(topic, p) for p in range(4)], timeout=10)
    assert [(g.offset, g.metadata) for g in got[:3]] == [(10 + p, f"note {p}") for p in range(3)]
    assert got[3].offset < 0, "never committed"
    leave(member)


def test_a_silent_member_is_expelled_and_its_partitions_move(bootstrap, topic):
    conf = {"session.timeout.ms": 6_000, "max.poll.interval.ms": 6_000, "auto.offset.reset": "latest"}
    silent = consumer(bootstrap, topic, **conf)
    silent.subscribe([topic])
    until("it has all", lambda: assigned(silent) == [[0, 1, 2, 3]], 30)
    other = joined(bootstrap, topic, topic)  # and `silent` is polled no more
    until("the other has all", lambda: assigned(other) == [[0, 1, 2, 3]], 40)
    leave(other)
    leave(silent)


def test_a_static_member_that_returns_in_time_keeps_its_partitions(bootstrap, topic):
    conf = {"group.instance.id": "one", "auto.offset.reset": "latest"}
    first = joined(bootstrap, topic, topic, **conf)
    until("it has all", lambda: assigned(first) == [[0, 1, 2, 3]], 30)
    first.close()
    again = joined(bootstrap, topic, topic, **conf)
    until("it has all again", lambda: assigned(again) == [[0, 1, 2, 3]], 30)
    again.close()


def test_groups_are_listed_described_and_deleted(bootstrap, topic):
    client = admin(bootstrap)
    member = joined(bootstrap, topic, topic, **{"client.id": "test-client"})
    poll(member, 1)
    member.commit(asynchronous=False)
    listed = client.list_consumer_groups(request_timeout=10).result()
    assert topic in {g.group_id for g in listed.valid}
    described = client.describe_consumer_groups([topic], request_timeout=10)[topic].result()
    assert described.state == ConsumerGroupState.STABLE
    assert [m.client_id for m in described.members] == ["test-client"]
    assert len(described.members[0].assignment.topic_partitions) == 4
    with pytest.raises(KafkaException, match="(?i)non.?empty|not empty"):
        client.delete_consumer_groups([topic], request_timeout=10)[topic].result()
    leave(member)

    def state():
        return client.describe_consumer_groups([topic], request_timeout=10)[topic].result().state
    until("it is empty", lambda: state() == ConsumerGroupState.EMPTY)
    client.delete_consumer_groups([topic], request_timeout=10)[topic].result()
    listed = client.list_consumer_groups(request_timeout=10).result()
    assert topic not in {g.group_id for g in listed.valid}


def test_an_admin_moves_the_offsets_of_an_empty_group(bootstrap, topic):
    member = joined(bootstrap, topic, topic)
    poll(member, 400)
    member.commit(asynchronous=False)
    leave(member)
    to = ConsumerGroupTopicPartitions(topic, [TopicPartition(topic, p, 90) for p in range(4)])
    until("the group is empty", lambda: moved(admin(bootstrap), to))
    again = joined(bootstrap, topic, topic)
    assert len(poll(again, 40)) == 40
    assert again.consume(1, 0.5) == []
    leave(again)


def moved(client, to) -> bool:
    try:
        client.alter_consumer_group_offsets([to])[to.group_id].result(10)
        return True
    except KafkaException:
        return False

