"""Clients for what moves files: octets in bulk that retention trims, queues that come and go, delayed messages."""
import random
import time

import grpc
from pika.exceptions import AMQPError

from clients import grpc_client
from clients.confluent_client import acked, produce
from clients.message import Msg
from clients.pika_client import channel, publish
from crash.worker import Worker

from .clocked import Times

DELAYS_MS = (100, 1_500)


def padded(number: int) -> bytes:
    """A body that says its number, of a length that follows from it; one in fifty is large."""
    return b"%d/" % number + bytes(number * 7_919 % 16_000 * (40 if number % 50 == 7 else 1))


class Bulk(Worker):
    """Kafka messages of some thousand octets; each batch asks for what one of `acks` says."""

    def __init__(self, bootstrap: str, topic: str, rng: random.Random, acks: list[str]):
        super().__init__()
        self.bootstrap, self.topic, self.rng, self.acks = bootstrap, topic, rng, acks
        self.next, self.confirmed = 0, Times()

    def session(self):
        while not self.stopping.is_set():
            numbers = range(self.next, self.next + self.rng.randint(1, 40))
            self.next, acks = numbers.stop, self.rng.choice(self.acks)
            reports = produce(self.bootstrap, self.topic, [{"value": padded(n)} for n in numbers], acks=acks)
            if acks == "all":
                self.confirmed.update((n, message.offset()) for n, message in zip(numbers, acked(reports)))


class Passing(Worker):
    """Declares a durable queue, publishes to it, and deletes one of three again."""
    lost = (OSError, AMQPError)

    def __init__(self, address: str, prefix: str):
        super().__init__()
        self.address, self.prefix, self.next = address, prefix, 0
        self.filled, self.deletions, self.deleted = Times(), Times(), Times()

    def session(self):
        with channel(self.address) as ch:
            while not self.stopping.is_set():
                queue, self.next = f"{self.prefix}-{self.next}", self.next + 1
                ch.queue_declare(queue, durable=True)
                publish(ch, queue, queue.encode(), delivery_mode=2)
                self.filled.add(queue)
                if self.next % 3 == 0:
                    self.deletions.add(queue)
                    ch.queue_delete(queue)
                    self.deleted.add(queue)
                self.stopping.wait(0.02)  # a load, not a flood


class Delayed(Worker):
    """Messages for a little later, of which nobody consumes any."""
    lost = (OSError, grpc.RpcError)

    def __init__(self, broker, queue: str, rng: random.Random):
        super().__init__()
        self.broker, self.queue, self.rng = broker, queue, rng
        self.next, self.confirmed = 0, Times()

    def session(self):
        pb, _ = grpc_client.stubs()
        channel, service = grpc_client.connect(self.broker.grpc)
        with channel:
            while not self.stopping.is_set():
                numbers = range(self.next, self.next + 20)
                self.next = numbers.stop
                results = service.Publish(iter([
                    pb.PublishRequest(destination=f"/{self.queue}"),
                    pb.PublishRequest(messages=[self._publication(pb, n) for n in numbers])]))
                for result in results:
                    assert result.HasField("ok"), result.error
                    self.confirmed.add(b"%d" % result.sequence)
                self.stopping.wait(0.05)  # a load, not a flood

    def _publication(self, pb, number: int):
        message = grpc_client.to_grpc(Msg(b"%d" % number))
        message.props.deliver_at_ms = time.time_ns() // 1_000_000 + self.rng.randint(*DELAYS_MS)
        return pb.Publication(sequence=number, message=message)
