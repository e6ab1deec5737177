"""The clients of a recorded run, together."""
import random
import time

from confluent_kafka import Consumer, TopicPartition

from clients.confluent_client import consumer, create_topic
from clients.pika_client import channel
from crash import AmqpWorker, GrpcWorker
from harness import until

from .clocked import ClockedAmqpProducer, ClockedCommitter, ClockedKafkaProducer, ClockedLedger, Times
from .workers import Bulk, Delayed, Passing

QUEUES = ("all-acked", "untouched", "all-settled")
KEPT = 2 << 20
# How many loads of all ask for a sync now and then only: most of the journal is not synced then.
RARELY = 0.3


def bounds(reader: Consumer, topic: str) -> tuple[int, int]:
    """First offset and end of a topic."""
    return reader.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)


class Load:
    """Everything that is promised something, under names of its own; `made_at` is when these were there."""

    def __init__(self, broker, rng: random.Random, life: str):
        self.life, rarely = life, rng.random() < RARELY
        self._make(broker)
        self.made_at = time.monotonic_ns()
        seeded = [random.Random(rng.random()) for _ in range(4)]
        self.acked, self.settled = ClockedLedger(), ClockedLedger()
        self.amqp = ClockedAmqpProducer(broker.amqp, self.named("fan"))
        self.kafka = ClockedKafkaProducer(broker.kafka, self.named("log"))
        self.committer = ClockedCommitter(broker.kafka, self.named("log"))
        self.bulk = Bulk(broker.kafka, self.named("bulk"), seeded[0], ["all"] + ["1"] * (30 if rarely else 1))
        self.passing = Passing(broker.amqp, self.named("passing"))
        self.delayed = Delayed(broker, self.named("later"), seeded[1])
        self.looker, self.stable = consumer(broker.kafka), Times()
        self.noted = {
            self.amqp: self.amqp.confirmed, self.kafka: self.kafka.confirmed, self.committer: self.committer.answers,
            self.bulk: self.bulk.confirmed, self.passing: self.passing.filled, self.delayed: self.delayed.confirmed,
            AmqpWorker(broker.amqp, self.named("all-acked"), self.acked, seeded[2]): self.acked.answers,
            GrpcWorker(broker, self.named("all-settled"), self.settled, seeded[3]): self.settled.answers}
        if rarely:  # whoever else runs has the journal synced all the time
            self.noted = {self.bulk: self.bulk.confirmed}
        for worker in self.noted:
            worker.start()

    def named(self, name: str) -> str:
        return f"{self.life}-{name}"

    def _make(self, broker):
        create_topic(broker.kafka, self.named("log"))
        create_topic(broker.kafka, self.named("bulk"), **{"retention.bytes": str(KEPT)})
        with channel(broker.amqp) as ch:
            ch.queue_declare(self.named("later"), durable=True)
            ch.exchange_declare(self.named("fan"), "fanout", durable=True)
            for queue in map(self.named, QUEUES):
                ch.queue_declare(queue, durable=True)
                ch.queue_bind(queue, self.named("fan"), "")

    def confirms(self) -> dict[str, int]:
        """How much each client was promised so far."""
        return {worker.name: len(times) for worker, times in self.noted.items()}

    def is_trimmed(self) -> bool:
        """Retention took the first of the bulk. What readers are told of its end is a promise, too."""
        low, high = bounds(self.looker, self.bulk.topic)
        self.stable.add(high)
        return low > 0

    def looks_again(self, broker):
        """The same, of another process."""
        reader = consumer(broker.kafka)
        self.stable.add(bounds(reader, self.bulk.topic)[1])
        reader.close()

    def runs_until(self, done):
        """Until every client got on, and `done`."""
        def asks():
            for worker in self.noted:
                assert worker.failure is None, worker.failure
            return all(self.confirms().values()) and done()
        until("every client gets on, and files move", asks, seconds=60)

    def stop(self):
        """Clients first: none of them has to tell that the broker is gone."""
        for worker in self.noted:
            worker.stopping.set()
        for worker in self.noted:
            worker.stop()
        self.looker.close()
        wrong = self.acked.wrong + self.settled.wrong + self.committer.wrong + self.kafka.errors
        assert not wrong, wrong[:5]
