"""Producers that number what they send, and keep what was confirmed."""
import asyncio

import aio_pika
from confluent_kafka import Producer

from .worker import Worker


class AmqpProducer(Worker):
    """Publishes 0, 1, 2 ... to a fanout exchange, 50 confirms in flight; never sends one twice."""
    lost = (OSError, aio_pika.exceptions.AMQPError, asyncio.TimeoutError, asyncio.CancelledError, RuntimeError)

    def __init__(self, address: str, exchange: str):
        super().__init__()
        self.url, self.exchange = f"amqp://guest:guest@{address}/%2f", exchange
        self.next, self.confirmed = 0, set()

    def session(self):
        asyncio.run(self._publish())

    async def _publish(self):
        connection = await asyncio.wait_for(aio_pika.connect(self.url), 5)
        try:
            channel = await connection.channel(publisher_confirms=True)
            exchange = await channel.get_exchange(self.exchange)
            while not self.stopping.is_set():
                batch = range(self.next, self.next + 50)
                self.next += 50
                results = await asyncio.wait_for(asyncio.gather(
                    *(self._one(exchange, n) for n in batch), return_exceptions=True), 10)
                if failed := next((r for r in results if isinstance(r, BaseException)), None):
                    raise failed
        finally:
            await asyncio.wait([asyncio.ensure_future(connection.close())], timeout=1)

    async def _one(self, exchange, n: int):
        message = aio_pika.Message(b"%d" % n, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await exchange.publish(message, "", mandatory=True)
        self.confirmed.add(b"%d" % n)


class KafkaProducer(Worker):
    """One idempotent producer over all crashes; librdkafka sends again what was not answered."""

    def __init__(self, bootstrap: str, topic: str):
        super().__init__()
        self.topic, self.next, self.acked = topic, 0, 0
        self.errors = []
        self.producer = Producer({
            "bootstrap.servers": bootstrap, "enable.idempotence": True, "acks": "all", "linger.ms": 2,
            "message.timeout.ms": 120_000, "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 200,
            "retry.backoff.ms": 20, "queue.buffering.max.messages": 2_000, "log_level": 0})

    def session(self):
        while not self.stopping.is_set():
            try:
                self.producer.produce(self.topic, b"%d" % self.next, on_delivery=self._report)
                self.next += 1
                self.producer.poll(0)
            except BufferError:
                self.producer.poll(0.05)
            if self.next % 20 == 0:
                self.stopping.wait(0.001)  # a load, not a flood: the other clients share the machine
        left = self.producer.flush(60)
        assert left == 0, f"{left} Kafka messages were never answered"

    def _report(self, error, _message):
        if error is None:
            self.acked += 1
        else:
            self.errors.append(str(error))
