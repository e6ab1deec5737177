"""Every AMQP client that people have: aio-pika, amqp-tools, node's amqplib, RabbitMQ's PerfTest."""
import asyncio
import json
import os
import re
import subprocess
from pathlib import Path

import aio_pika

from clients.pika_client import channel, get, publish, ready

NODE = Path(__file__).parent / "clients" / "node"


def url(amqp: str) -> str:
    return f"amqp://guest:guest@{amqp}/%2f"


def run(*command, stdin: bytes = b"", seconds: float = 60) -> subprocess.CompletedProcess:
    done = subprocess.run(list(map(str, command)), input=stdin, capture_output=True, timeout=seconds)
    assert done.returncode == 0, done.stderr.decode()[-2_000:]
    return done


def test_aio_pika_confirms_in_flight_together(amqp, name):
    async def scenario():
        async with await aio_pika.connect(url(amqp)) as connection:
            ch = await connection.channel(publisher_confirms=True)
            await ch.set_qos(100)
            exchange = await ch.declare_exchange(name, aio_pika.ExchangeType.TOPIC, durable=True)
            queue = await ch.declare_queue(name, durable=True)
            await queue.bind(exchange, "n.#")
            sends = [exchange.publish(aio_pika.Message(str(i).encode(), headers={"n": i, "f": 0.5}), f"n.{i}")
                     for i in range(1_000)]
            await asyncio.gather(*sends)
            got = []
            async with queue.iterator() as messages:
                async for message in messages:
                    async with message.process():
                        got.append((message.body, message.headers["n"], message.headers["f"]))
                    if len(got) == 1_000:
                        break
            return got
    got = asyncio.run(asyncio.wait_for(scenario(), 60))
    assert got == [(str(i).encode(), i, 0.5) for i in range(1_000)]


def test_aio_pika_rpc_over_a_server_named_reply_queue(amqp, name):
    async def scenario():
        async with await aio_pika.connect(url(amqp)) as connection:
            ch = await connection.channel()
            requests = await ch.declare_queue(name, auto_delete=True)
            replies = await ch.declare_queue(exclusive=True)

            async def serve(message):
                async with message.process():
                    await ch.default_exchange.publish(
                        aio_pika.Message(message.body.upper(), correlation_id=message.correlation_id),
                        message.reply_to)
            await requests.consume(serve)
            await ch.default_exchange.publish(
                aio_pika.Message(b"hello", reply_to=replies.name, correlation_id="7"), name)
            answer = asyncio.get_running_loop().create_future()

            async def take(message):
                answer.set_result(message)
            await replies.consume(take, no_ack=True)
            reply = await answer
            return reply.body, reply.correlation_id
    assert asyncio.run(asyncio.wait_for(scenario(), 30)) == (b"HELLO", "7")


def test_amqp_tools_declare_publish_get_consume_delete(amqp, name):
    at = f"--url={url(amqp)}"
    assert run("amqp-declare-queue", at, "-d", "-q", name).stdout.strip() == name.encode()
    run("amqp-publish", at, "-r", name, "-p", "-C", "text/plain", "-b", "one")
    run("amqp-publish", at, "-r", name, "-l", stdin=b"two\nthree\n")
    assert run("amqp-get", at, "-q", name).stdout == b"one"
    assert run("amqp-consume", at, "-q", name, "-c", "2", "cat").stdout == b"two\nthree\n"
    with channel(amqp) as ch:
        assert ready(ch, name) == 0
        publish(ch, name, b"left")
    assert run("amqp-delete-queue", at, "-q", name).stdout.strip() == b"1"


def test_amqplib_of_node(amqp, name):
    done = run("node", NODE / "amqp.js", url(amqp), name, 200)
    said = json.loads(done.stdout)
    assert said["messageCount"] == 0
    assert said["got"] == [[str(i), f"m{i}", i, f"n.{i}"] for i in range(200)]


def test_perf_test_of_rabbitmq(amqp, name):
    jars = Path(os.environ["STANDPIPE_CACHE"]) / "jars" / "perf-test-2.22.1" / "*"
    done = run("java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", jars, "com.rabbitmq.perf.PerfTest",
               "-h", url(amqp), "-x", 2, "-y", 1, "-s", 100, "-c", 50, "-q", 50, "-f", "persistent", "-A", 10,
               "-u", name, "-ad", "false", "-C", 500, "-D", 1000, "-z", 20)
    assert re.search(rb"sending rate avg: \d+", done.stdout), done.stdout[-500:]
    with channel(amqp) as ch:
        assert ready(ch, name) == 0


def test_clients_mix_on_one_queue(amqp, name):
    """What one client wrote another reads, with its properties."""
    with channel(amqp) as ch:
        ch.queue_declare(name, durable=True)
    run("amqp-publish", f"--url={url(amqp)}", "-r", name, "-p", "-C", "text/plain", "-b", "mixed")
    with channel(amqp) as ch:
        _, properties, body = get(ch, name)
        assert (body, properties.content_type, properties.delivery_mode) == (b"mixed", "text/plain", 2)
