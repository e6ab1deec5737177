"""AMQP in bulk: aio-pika publishes with its confirms in flight together, pika reads.

How a message looks on AMQP is docs/protocol-mapping.md's business; `to_amqp` and `from_amqp` are
what a program would write that reads that table.
"""
import asyncio
from datetime import datetime, timezone

import aio_pika

from clients.message import Msg, octets
from clients.pika_client import connection, take

NAME = "amqp"
IN_FLIGHT = 2_000


def publish(broker, topic: str, messages: list[Msg]):
    """Through a topic exchange that is bound to the queue, routing key `KEY.x`."""
    asyncio.run(_publish(broker.amqp, topic, messages))


def read_all(broker, topic: str, count: int) -> list[Msg]:
    with connection(broker.amqp) as conn:
        ch = conn.channel()
        ch.queue_declare(topic, durable=True)
        ch.basic_qos(prefetch_count=1_000)
        got = take_acking_in_hundreds(ch, topic, count)
    return [from_amqp(properties, body) for _, properties, body in got]


def take_acking_in_hundreds(ch, queue, count) -> list:
    got = []
    while len(got) < count:
        step = take(ch, queue, min(100, count - len(got)), ack=False)
        ch.basic_ack(step[-1][0].delivery_tag, multiple=True)
        got += step
    ch.cancel()
    return got


def to_amqp(message: Msg) -> aio_pika.Message:
    headers = dict(message.headers)
    if message.key is not None:
        headers["x-standpipe-key"] = message.key.decode()
    if message.payload is None:
        headers["x-standpipe-tombstone"] = True
    when = None
    if message.timestamp is not None:
        when = datetime.fromtimestamp(message.timestamp // 1_000, timezone.utc)
        headers["timestamp_in_ms"] = message.timestamp
    return aio_pika.Message(message.payload or b"", headers=headers, timestamp=when,
                            delivery_mode=aio_pika.DeliveryMode.PERSISTENT)


def from_amqp(properties, body: bytes) -> Msg:
    headers = dict(properties.headers or {})
    key = octets(headers.pop("x-standpipe-key", None))
    tombstone = headers.pop("x-standpipe-tombstone", False)
    stamp = headers.pop("timestamp_in_ms", None)
    if stamp is not None:
        assert properties.timestamp == stamp // 1_000, "the property is the same time in seconds"
    elif properties.timestamp is not None:
        stamp = properties.timestamp * 1_000
    listed = headers.pop("x-standpipe-headers", None)
    pairs = tuple(tuple(pair) for pair in listed) if listed else tuple(headers.items())
    for name, value in headers.items():
        first = next(v for n, v in pairs if n == name)
        assert first == value, f"of the duplicates of {name} the first stands under its name"
    return Msg(None if tombstone and not body else body, key, pairs, stamp)


async def _publish(address: str, topic: str, messages: list[Msg]):
    async with await aio_pika.connect(f"amqp://guest:guest@{address}/%2f") as conn:
        ch = await conn.channel(publisher_confirms=True)
        exchange = await ch.declare_exchange(f"{topic}-x", aio_pika.ExchangeType.TOPIC, durable=True)
        queue = await ch.declare_queue(topic, durable=True)
        await queue.bind(exchange, "#")
        for start in range(0, len(messages), IN_FLIGHT):
            await asyncio.gather(*(
                exchange.publish(to_amqp(m), f"{(m.key or b'none').decode()}.x", mandatory=True)
                for m in messages[start:start + IN_FLIGHT]))
