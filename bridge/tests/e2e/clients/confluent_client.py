"""confluent-kafka, with what every Kafka test needs."""
import functools
import time

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from harness import until

EARLIEST = 0
QUIET = {"log_level": 0}


@functools.cache
def admin(bootstrap: str) -> AdminClient:
    """One for all tests: a future fails when its client is dropped."""
    return AdminClient({"bootstrap.servers": bootstrap, "socket.timeout.ms": 10_000, **QUIET})


def create_topic(bootstrap: str, topic: str, partitions: int = 1, **config: str):
    client = admin(bootstrap)
    client.create_topics([NewTopic(topic, partitions, 1, config=config)])[topic].result(15)
    until(f"{topic} has its leaders", lambda: leaders(client, topic) == partitions)


def leaders(client: AdminClient, topic: str) -> int:
    found = client.list_topics(topic, timeout=10).topics[topic]
    return 0 if found.error else sum(p.leader >= 0 for p in found.partitions.values())


def produce(bootstrap: str, topic: str, messages, partition=None, together=False, **conf) -> list:
    """Sends all, waits for all, and returns the reports in the order of the messages.

    A message is a dict with any of value, key, headers, timestamp and partition. What is to go `together` waits for
    `linger.ms`: a flush sends what is in the queue just then.
    """
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5, **QUIET, **conf})
    reports = [None] * len(messages)

    def report(i):
        def keep(error, message):
            reports[i] = (error, message)
        return keep
    for i, message in enumerate(messages):
        more = {"partition": partition} if partition is not None else {}
        while True:
            try:
                producer.produce(topic, on_delivery=report(i), **{**more, **message})
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    if together:
        until("all are reported", lambda: producer.poll(0.1) is not None and None not in reports)
    left = producer.flush(60)
    assert left == 0 and None not in reports, f"{reports.count(None)} of {len(messages)} had no report"
    return reports


def acked(reports) -> list:
    """The stored messages; fails on the first that was refused."""
    for error, _ in reports:
        assert error is None, error
    return [message for _, message in reports]


def consumer(bootstrap: str, group: str = "none", **conf) -> Consumer:
    return Consumer({"bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest",
                     "enable.auto.commit": False, "fetch.wait.max.ms": 100, "enable.partition.eof": False, **QUIET, **conf})


def read(bootstrap: str, topic: str, count: int, start: int = EARLIEST, seconds: float = 60, **conf) -> list:
    """`count` messages of all partitions, without a group, from offset `start` on."""
    reader = consumer(bootstrap, **conf)
    try:
        found = reader.list_topics(topic, timeout=10).topics[topic]
        reader.assign([TopicPartition(topic, p, start) for p in found.partitions])
        return poll(reader, count, seconds)
    finally:
        reader.close()


def poll(reader: Consumer, count: int, seconds: float = 60) -> list:
    """Consumes until `count` messages came."""
    got, deadline = [], time.monotonic() + seconds
    while len(got) < count:
        assert time.monotonic() < deadline, f"{len(got)} of {count} messages after {seconds} s"
        for message in reader.consume(count - len(got), timeout=0.2):
            assert message.error() is None, message.error()
            got.append(message)
    return got


def leave(member: Consumer):
    """Leaves the group, and only then closes.

    Where a rebalance was told and not yet polled, librdkafka's close() may never return, with the interpreter's lock
    held (librdkafka issue 4884). A static member stays in its group when it closes, so it has to close without this.
    """
    member.unsubscribe()
    until("nothing is left to poll", lambda: member.poll(0.1) is None and not member.assignment())
    member.close()


def watermarks(bootstrap: str, topic: str, partition: int = 0) -> tuple[int, int]:
    reader = consumer(bootstrap)
    try:
        return reader.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)
    finally:
        reader.close()
