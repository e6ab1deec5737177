"""Consumers that settle some of what they get, give back the rest, and keep a ledger."""
import random

import grpc
import pika
from confluent_kafka import KafkaException, TopicPartition
from pika.exceptions import AMQPError

from clients import grpc_client
from clients.confluent_client import consumer
from clients.pika_client import parameters

from .ledger import Ledger
from .worker import Worker

HAND = 30


def split(rng: random.Random, hand: list) -> tuple[list, list]:
    """In random order: what to settle (four of five), and what to give back."""
    rng.shuffle(hand)
    cut = len(hand) * 4 // 5 or len(hand)
    return hand[:cut], hand[cut:]


class AmqpWorker(Worker):
    """Acks in any order; believes an ack once a synchronous method behind it was answered."""
    lost = (OSError, AMQPError)

    def __init__(self, address: str, queue: str, ledger: Ledger, rng: random.Random):
        super().__init__()
        self.address, self.queue, self.ledger, self.rng = address, queue, ledger, rng

    def session(self):
        connection = pika.BlockingConnection(parameters(self.address, heartbeat=5))
        try:
            channel = connection.channel()
            channel.basic_qos(prefetch_count=2 * HAND)
            hand = []
            for method, _, body in channel.consume(self.queue, inactivity_timeout=0.2):
                if method is not None:
                    self.ledger.deliver(body, method.redelivered)
                    hand.append((method.delivery_tag, body))
                if len(hand) >= HAND or (method is None and hand):
                    self._settle(channel, hand)
                    hand = []
                if self.stopping.is_set():
                    return
        finally:
            if connection.is_open:
                connection.close()

    def _settle(self, channel, hand):
        settle, give_back = split(self.rng, hand)
        bodies = [body for _, body in settle]
        self.ledger.sent(bodies)
        for tag, _ in settle:
            channel.basic_ack(tag)
        for tag, _ in give_back:
            channel.basic_nack(tag, requeue=True)
        channel.basic_qos(prefetch_count=2 * HAND)
        self.ledger.answered(bodies)


class GrpcWorker(Worker):
    """The same in gRPC's lease mode, where every settle has its own answer."""
    lost = (OSError, grpc.RpcError, StopIteration)

    def __init__(self, broker, topic: str, ledger: Ledger, rng: random.Random):
        super().__init__()
        self.broker, self.topic, self.ledger, self.rng = broker, topic, ledger, rng

    def session(self):
        mode = grpc_client.stubs()[0].MODE_LEASE
        with grpc_client.Subscription(self.broker, self.topic, mode, seconds=5) as sub:
            while not self.stopping.is_set():
                sub.send(credit=sub.pb.Credit(messages=HAND))
                hand = []
                for _ in range(HAND):
                    delivered = sub.message()
                    self.ledger.deliver(delivered.message.payload, delivered.redelivered)
                    hand.append((delivered.receipt, delivered.message.payload))
                settle, give_back = split(self.rng, hand)
                bodies = [body for _, body in settle]
                self.ledger.sent(bodies)
                answer = sub.settle(ack=[r for r, _ in settle], release=[r for r, _ in give_back])
                assert not answer.failures, answer
                self.ledger.answered(bodies)


class KafkaCommitter(Worker):
    """Reads a topic in a group of its own, and commits as it goes."""
    lost = (OSError, KafkaException)

    def __init__(self, bootstrap: str, topic: str):
        super().__init__()
        self.bootstrap, self.partition = bootstrap, TopicPartition(topic, 0)
        self.group, self.sent, self.answered = f"{topic}-committer", 0, 0
        self.wrong: list[str] = []

    def session(self):
        reader = consumer(self.bootstrap, self.group, **{
            "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 200, "socket.timeout.ms": 3_000})
        try:
            self._check(reader)
            reader.assign([TopicPartition(self.partition.topic, 0, max(self.answered, 0))])
            while not self.stopping.is_set():
                got = [m for m in reader.consume(200, 0.2) if m.error() is None]
                if got:
                    self.sent = got[-1].offset() + 1
                    reader.commit(offsets=[TopicPartition(self.partition.topic, 0, self.sent)], asynchronous=False)
                    self.answered = self.sent
        finally:
            reader.close()

    def _check(self, reader):
        """A commit that was answered is there; at most the one that was not is further."""
        at = max(reader.committed([self.partition], timeout=3)[0].offset, 0)
        if not self.answered <= at <= max(self.sent, self.answered):
            self.wrong.append(f"committed is {at}; {self.answered} was answered, {self.sent} was sent")
