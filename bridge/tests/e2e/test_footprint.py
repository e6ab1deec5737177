"""Small and quick: bytes written, time to start, memory when idle."""
import asyncio
import statistics
import time
from pathlib import Path

import aio_pika
import pytest

from clients.pika_client import channel
from harness import Standpipe, until

MB = 1_000_000


def written(pid: int) -> int:
    fields = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(fields["write_bytes"])


def resident(pid: int) -> int:
    line = next(x for x in Path(f"/proc/{pid}/status").read_text().splitlines() if x.startswith("VmRSS"))
    return int(line.split()[1]) * 1_024


@pytest.mark.parametrize("in_flight", [1, 100])
def test_a_fan_out_to_ten_queues_writes_the_body_once(durable, name, in_flight):
    """1,000 publishes of 10 KB add under 13 MB: 10.24 MB of bodies, and 10,000 references."""
    with channel(durable.amqp) as ch:
        ch.exchange_declare(name, "fanout", durable=True)
        for i in range(10):
            ch.queue_declare(f"{name}-{i}", durable=True)
            ch.queue_bind(f"{name}-{i}", name, "")
    before = written(durable.process.pid)
    asyncio.run(publish_bodies(durable.amqp, name, bytes(10 * 1_024), 1_000, in_flight))
    added = written(durable.process.pid) - before
    assert 10 * MB < added < 13 * MB, f"{added / MB:.1f} MB"


async def publish_bodies(address: str, exchange: str, body: bytes, count: int, in_flight: int):
    async with await aio_pika.connect(f"amqp://guest:guest@{address}/%2f") as connection:
        ch = await connection.channel(publisher_confirms=True)
        target = await ch.get_exchange(exchange)
        message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        for _ in range(count // in_flight):
            await asyncio.gather(*(target.publish(message, "", mandatory=True) for _ in range(in_flight)))


def test_it_starts_in_fifty_milliseconds_on_an_empty_store(tmp_path):
    took = []
    for i in range(5):
        broker = Standpipe(tmp_path / "log", data=tmp_path / f"data-{i}")
        began = time.monotonic()
        broker.launch().wait_ready()
        took.append(time.monotonic() - began)
        broker.stop()
    assert statistics.median(took) < 0.050, [f"{t * 1000:.0f} ms" for t in took]


def test_it_idles_under_thirty_megabytes(durable):
    until("resident memory is under 30 MB", lambda: resident(durable.process.pid) < 30 * MB, seconds=5)
