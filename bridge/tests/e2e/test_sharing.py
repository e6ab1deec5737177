"""One name, one thing: the AMQP queue, the Kafka topic and the native topic of a name are one."""
import pytest
from confluent_kafka import TopicPartition

from clients import grpc_client
from clients.confluent_client import acked, consumer, create_topic, leave, poll, produce, read, watermarks
from clients.pika_client import channel, connection, get, publish, ready, take
from harness import until


def numbered(count: int) -> list[dict]:
    return [{"value": str(i).encode()} for i in range(count)]


def bodies(count: int) -> list[bytes]:
    return [str(i).encode() for i in range(count)]


@pytest.fixture
def topic(shared_broker, name):
    """A topic with `limits` retention and 100 messages."""
    create_topic(shared_broker.kafka, name)
    acked(produce(shared_broker.kafka, name, numbered(100)))
    return name


@pytest.fixture
def ch(shared_broker):
    with channel(shared_broker.amqp) as ch:
        yield ch


def kafka_still_has_all(broker, topic, count=100) -> bool:
    return [m.value() for m in read(broker.kafka, topic, count)] == bodies(count)


def test_two_amqp_consumers_of_one_queue_share_the_work(shared_broker, topic, ch):
    """In rounds: acked as they come, pika may serve one channel for as long as the other waits."""
    ch.queue_declare(topic, durable=True)
    with connection(shared_broker.amqp) as conn:
        got = {"one": [], "two": []}
        channels = {tag: conn.channel() for tag in got}
        for tag, consuming in channels.items():
            consuming.basic_qos(prefetch_count=10)
            consuming.basic_consume(topic, consumer_tag=tag, on_message_callback=lambda c, m, p, b: (
                got[m.consumer_tag].append(b)))

        def both_have(count):
            conn.process_data_events(0)
            return all(len(have) == count for have in got.values())
        for count in range(10, 51, 10):
            until(f"each has {count}", lambda: both_have(count))
            for consuming in channels.values():
                consuming.basic_ack(0, multiple=True)
    assert sorted(got["one"] + got["two"]) == sorted(bodies(100)), "each once"


def test_two_kafka_groups_each_get_everything(shared_broker, topic):
    for group in (f"{topic}-a", f"{topic}-b"):
        member = consumer(shared_broker.kafka, group)
        member.subscribe([topic])
        assert [m.value() for m in poll(member, 100)] == bodies(100)
        leave(member)


def test_a_fully_acked_queue_is_replayed_by_kafka_from_0_under_limits(shared_broker, topic, ch):
    ch.queue_declare(topic, durable=True)
    assert [b for _, _, b in take(ch, topic, 100)] == bodies(100)
    ch.cancel()
    assert ready(ch, topic) == 0
    assert kafka_still_has_all(shared_broker, topic)
    assert watermarks(shared_broker.kafka, topic) == (0, 100)


def test_an_amqp_consumer_of_fifty_partitions_gets_all_of_it_once(shared_broker, name, ch):
    create_topic(shared_broker.kafka, name, 50)
    sent = [{"value": str(i).encode(), "partition": i % 50} for i in range(5_000)]
    acked(produce(shared_broker.kafka, name, sent, **{"enable.idempotence": True}))
    ch.queue_declare(name, durable=True)
    got = [int(b) for _, _, b in take(ch, name, 5_000)]
    assert sorted(got) == list(range(5_000))
    for partition in range(50):
        assert [i for i in got if i % 50 == partition] == list(range(partition, 5_000, 50)), "first in first out"
    ch.cancel()
    assert ready(ch, name) == 0


@pytest.mark.parametrize("what", ["declare", "purge", "delete", "auto-delete"])
def test_a_queue_takes_nothing_from_a_kafka_topic_that_was_there_before(shared_broker, topic, ch, what):
    ch.queue_declare(topic, durable=what != "auto-delete", auto_delete=what == "auto-delete")
    if what == "purge":
        assert ch.queue_purge(topic).method.message_count == 100
        assert ready(ch, topic) == 0
    elif what == "delete":
        assert ch.queue_delete(topic).method.message_count == 100
    elif what == "auto-delete":
        ch.basic_cancel(ch.basic_consume(topic, lambda *_: None))
    assert kafka_still_has_all(shared_broker, topic)


def test_a_queue_that_made_the_topic_takes_it_along(shared_broker, name, ch):
    ch.queue_declare(name, durable=True)
    publish(ch, name, b"x")
    assert read(shared_broker.kafka, name, 1)[0].value() == b"x"
    ch.queue_delete(name)
    reader = consumer(shared_broker.kafka, **{"allow.auto.create.topics": False})
    until("it is gone", lambda: name not in reader.list_topics(timeout=10).topics)
    reader.close()


def test_a_queue_declared_on_a_topic_starts_at_the_earliest(topic, ch):
    assert ch.queue_declare(topic, durable=True).method.message_count == 100
    assert get(ch, topic)[2] == b"0"


def test_the_default_exchange_reaches_a_topic_that_kafka_made(shared_broker, topic, ch):
    publish(ch, topic, b"100")
    assert [m.value() for m in read(shared_broker.kafka, topic, 101)] == bodies(101)


def test_grpc_in_lease_mode_shares_the_queue_with_amqp(shared_broker, topic, ch):
    pb, _ = grpc_client.stubs()
    ch.queue_declare(topic, durable=True)
    with grpc_client.Subscription(shared_broker, topic, pb.MODE_LEASE, credit=40) as sub:
        leased = [sub.message() for _ in range(40)]
        rest = [b for _, _, b in take(ch, topic, 60)]
        assert sorted([m.message.payload for m in leased] + rest) == sorted(bodies(100))
        answer = sub.settle(ack=[m.receipt for m in leased[:30]])
        assert not answer.failures
    ch.cancel()
    until("what gRPC did not settle is back", lambda: ready(ch, topic) == 10)
    method, _, body = get(ch, topic)
    assert (body, method.redelivered) == (leased[30].message.payload, True)


def test_a_kafka_commit_settles_nothing_for_the_queue(shared_broker, topic, ch):
    ch.queue_declare(topic, durable=True)
    member = consumer(shared_broker.kafka, topic)
    member.commit(offsets=[TopicPartition(topic, 0, 100)], asynchronous=False)
    member.close()
    assert ready(ch, topic) == 100


def test_an_idle_kafka_reader_is_woken_by_an_amqp_publish(shared_broker, topic, ch):
    reader = consumer(shared_broker.kafka, **{"fetch.wait.max.ms": 30_000})
    reader.assign([TopicPartition(topic, 0, 100)])
    assert reader.consume(1, 0.3) == []
    publish(ch, topic, b"wake")
    assert [m.value() for m in poll(reader, 1, 20)] == [b"wake"]
    reader.close()


def test_non_durable_queues_are_not_kafka_topics(shared_broker, name, ch):
    ch.queue_declare(name)
    exclusive = ch.queue_declare("", exclusive=True).method.queue
    reader = consumer(shared_broker.kafka)
    seen = reader.list_topics(timeout=10).topics
    reader.close()
    assert name not in seen and exclusive not in seen
