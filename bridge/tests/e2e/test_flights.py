"""Any client to any client on real data: 4 publishers, 4 readers, 16 pairs."""
import time

import pytest
from confluent_kafka import TopicPartition

from clients import amqp_client, cli_client, grpc_client, kafka_client
from clients.confluent_client import acked, consumer, create_topic, poll, produce, watermarks
from clients.message import mismatches
from clients.pika_client import channel, ready, take
from flights import flights
from harness import until

CLIENTS = {c.NAME: c for c in (amqp_client, kafka_client, grpc_client, cli_client)}


@pytest.fixture(scope="module")
def table():
    """Filled by the pairs, printed at the end (`make demo` shows it)."""
    rows = []
    yield rows
    print(f"\n{'published by':>12} {'read by':>8} {'messages':>9} {'mismatches':>10} {'publish/s':>10} {'read/s':>10}")
    for publisher, reader, count, wrong, published, read in rows:
        print(f"{publisher:>12} {reader:>8} {count:>9} {wrong:>10} {published:>10,.0f} {read:>10,.0f}")


@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("publisher", CLIENTS)
def test_what_one_publishes_all_four_read_in_full(shared_broker, table, publisher, name):
    """On a topic with `limits` retention, as Kafka's CreateTopics makes it."""
    sent = flights()
    create_topic(shared_broker.kafka, name)
    began = time.monotonic()
    CLIENTS[publisher].publish(shared_broker, name, sent)
    published = len(sent) / (time.monotonic() - began)
    wrong = {}
    for reader, client in CLIENTS.items():
        began = time.monotonic()
        got = client.read_all(shared_broker, name, len(sent))
        rate = len(sent) / (time.monotonic() - began)
        wrong[reader] = mismatches(sent, got)
        table.append((publisher, reader, len(got), len(wrong[reader]), published, rate))
    assert not any(wrong.values()), {reader: found[:3] for reader, found in wrong.items() if found}
    assert watermarks(shared_broker.kafka, name) == (0, len(sent))


def committed_read(broker, topic, group, count):
    """A Kafka group that reads and commits in full; returns what it got."""
    member = consumer(broker.kafka, group)
    try:
        member.assign([TopicPartition(topic, 0, 0)])
        got = poll(member, count)
        member.commit(offsets=[TopicPartition(topic, 0, count)], asynchronous=False)
        return [kafka_client.from_kafka(m) for m in got]
    finally:
        member.close()


def hold(broker, topic, group):
    """From its first commit on a positional group holds the log."""
    member = consumer(broker.kafka, group)
    member.commit(offsets=[TopicPartition(topic, 0, 0)], asynchronous=False)
    member.close()


@pytest.mark.parametrize("first", ["queue", "group"])
def test_settled_retention_keeps_until_queue_and_group_are_both_done(broker, name, first):
    sent = flights(2_000)
    with channel(broker.amqp) as ch:
        ch.queue_declare(name, durable=True)  # what queue.declare creates is `settled`
    amqp_client.publish(broker, name, sent)
    hold(broker, name, "group")
    readers = {"queue": lambda: amqp_client.read_all(broker, name, len(sent)),
               "group": lambda: committed_read(broker, name, "group", len(sent))}
    second = "group" if first == "queue" else "queue"
    assert not mismatches(sent, readers[first]())
    assert watermarks(broker.kafka, name)[0] == 0, f"the {second} has not read it yet"
    assert not mismatches(sent, readers[second]())
    until("all is trimmed", lambda: watermarks(broker.kafka, name) == (len(sent), len(sent)))


def test_an_uncommitted_reader_holds_nothing(broker, name):
    with channel(broker.amqp) as ch:
        ch.queue_declare(name, durable=True)
        acked(produce(broker.kafka, name, [{"value": b"x"}] * 100))
        take(ch, name, 100)
        ch.cancel()
        until("all is trimmed", lambda: watermarks(broker.kafka, name) == (100, 100))
        assert ready(ch, name) == 0
