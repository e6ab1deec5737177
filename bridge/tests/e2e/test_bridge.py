"""The bridge between a real RabbitMQ and a real Kafka: `cp`, routes, kills, and one that is too big."""
import json
import random
import subprocess
import time

import pytest

from clients import amqp_client, kafka_client
from clients.confluent_client import acked, create_topic, produce, read, watermarks
from clients.message import Msg, mismatches
from clients.pika_client import channel, get, publish, ready
from flights import flights
from harness import Standpipe, standpipe_bin, until

COUNT = 5_000


def queue_url(rabbitmq, queue: str) -> str:
    return f"amqp://guest:guest@{rabbitmq.amqp}/%2f?queue={queue}"


def topic_url(kafka, topic: str, **options) -> str:
    return f"kafka://{kafka.kafka}/{topic}" + ("?" + "&".join(f"{k}={v}" for k, v in options.items()) if options else "")


def standpipe(*args, stdin=b"", seconds=120):
    return subprocess.run([standpipe_bin(), *args], input=stdin, capture_output=True, timeout=seconds)


def route(name, source, target, *steps) -> str:
    transform = f"transform = [{', '.join(steps)}]\n" if steps else ""
    return f'[[route]]\nname = "{name}"\nfrom = "{source}"\nto = "{target}"\n{transform}\n'


@pytest.fixture
def bridge(tmp_path):
    """Starts `serve --config` with these routes, with a data folder."""
    started = []

    def start(*routes: str) -> Standpipe:
        config = tmp_path / "standpipe.toml"
        config.write_text("\n".join(routes))
        started.append(Standpipe(tmp_path / "log", data=tmp_path / "data", config=config).start())
        return started[-1]
    yield start
    for broker in started:
        if broker.alive():
            broker.stop()


@pytest.fixture
def full_queue(rabbitmq, name):
    """A queue of RabbitMQ with flights in it."""
    amqp_client.publish(rabbitmq, name, flights(COUNT))
    return name


def settled(rabbitmq, queue) -> bool:
    """Nothing is ready, nothing is held by a consumer."""
    with channel(rabbitmq.amqp) as ch:
        found = ch.queue_declare(queue, passive=True).method
        return (found.message_count, found.consumer_count) == (0, 0)


def test_cp_drains_a_rabbitmq_queue_into_a_kafka_topic(rabbitmq, kafka, full_queue):
    create_topic(kafka.kafka, full_queue)
    done = standpipe("cp", queue_url(rabbitmq, full_queue), topic_url(kafka, full_queue), "--drain")
    assert (done.returncode, done.stdout) == (0, b""), done.stderr.decode()
    assert not mismatches(flights(COUNT), kafka_client.read_all(kafka, full_queue, COUNT))
    assert watermarks(kafka.kafka, full_queue) == (0, COUNT)
    until("everything is settled at the source", lambda: settled(rabbitmq, full_queue))


def test_cp_drains_a_kafka_topic_into_a_rabbitmq_queue(rabbitmq, kafka, name):
    create_topic(kafka.kafka, name)
    kafka_client.publish(kafka, name, flights(COUNT))
    with channel(rabbitmq.amqp) as ch:
        ch.queue_declare(name, durable=True)
    done = standpipe("cp", topic_url(kafka, name, **{"from": "earliest"}), queue_url(rabbitmq, name), "--drain")
    assert done.returncode == 0, done.stderr.decode()
    assert not mismatches(flights(COUNT), amqp_client.read_all(rabbitmq, name, COUNT))


def test_nothing_is_settled_when_the_destination_is_not_there(rabbitmq, full_queue):
    done = standpipe("cp", queue_url(rabbitmq, full_queue), "kafka://127.0.0.1:1/nowhere", "--drain")
    assert done.returncode == 69, done
    with channel(rabbitmq.amqp) as ch:
        until("all is still there", lambda: ready(ch, full_queue) == COUNT)


def without(messages: list[Msg], header: str) -> list[Msg]:
    return [Msg(m.payload, m.key, tuple(h for h in m.headers if h[0] != header), m.timestamp) for m in messages]


def test_routes_carry_rabbitmq_over_standpipe_to_kafka(rabbitmq, kafka, full_queue, bridge):
    create_topic(kafka.kafka, full_queue)
    broker = bridge(
        route("in", queue_url(rabbitmq, full_queue), "standpipe:///flights", '{drop=["tailnum"]}'),
        route("out", "standpipe:///flights", topic_url(kafka, full_queue)))
    until("all arrived", lambda: watermarks(kafka.kafka, full_queue)[1] >= COUNT, seconds=60)
    broker.stop()
    assert not mismatches(without(flights(COUNT), "tailnum"), kafka_client.read_all(kafka, full_queue, COUNT))
    until("the source is settled", lambda: settled(rabbitmq, full_queue))


def test_routes_carry_kafka_over_standpipe_to_rabbitmq(rabbitmq, kafka, name, bridge):
    create_topic(kafka.kafka, name)
    kafka_client.publish(kafka, name, flights(COUNT))
    with channel(rabbitmq.amqp) as ch:
        ch.queue_declare(name, durable=True)
        broker = bridge(
            route("in", topic_url(kafka, name), "standpipe:///flights", '{set={"payload.bridged"="yes"}}'),
            route("out", "standpipe:///flights", queue_url(rabbitmq, name)))
        until("all arrived", lambda: ready(ch, name) >= COUNT, seconds=60)
    broker.stop()
    got = amqp_client.read_all(rabbitmq, name, COUNT)
    assert all(json.loads(m.payload)["bridged"] == "yes" for m in got)
    plain = [{k: v for k, v in json.loads(m.payload).items() if k != "bridged"} for m in got]
    assert plain == [json.loads(m.payload) for m in flights(COUNT)]
    assert [(m.key, m.headers, m.timestamp) for m in got] == [(m.key, m.headers, m.timestamp) for m in flights(COUNT)]


def test_killed_three_times_it_loses_nothing_and_counts_the_duplicates(rabbitmq, kafka, name, bridge):
    rng, count = random.Random(name), 20_000
    create_topic(kafka.kafka, name)
    sent = [Msg(b"%d" % i, b"k") for i in range(count)]
    amqp_client.publish(rabbitmq, name, sent)
    broker = bridge(
        route("in", queue_url(rabbitmq, name), "standpipe:///numbers"),
        route("out", "standpipe:///numbers", topic_url(kafka, name)))

    def arrived() -> int:
        return watermarks(kafka.kafka, name)[1]
    for part in (1, 2, 3):
        target = count * part // 4 + rng.randrange(-1_000, 1_000)
        until(f"{target} arrived", lambda: arrived() >= target, seconds=60)
        broker.kill()
        broker.start()

    def whole() -> bool:
        return len({m.value() for m in read(kafka.kafka, name, arrived())}) == count
    until("all arrived", lambda: arrived() >= count and whole(), seconds=60, every=0.5)
    broker.stop()
    got = [int(m.value()) for m in read(kafka.kafka, name, arrived())]
    first_seen = list(dict.fromkeys(got))
    assert first_seen == list(range(count)), "each first came in order"
    duplicates = len(got) - count
    print(f"{duplicates} duplicates after 3 kills")
    assert duplicates < count // 2, "what was confirmed is not sent all over again"
    until("the source is settled", lambda: settled(rabbitmq, name))


@pytest.mark.parametrize("big", [0, 499, 999])
def test_one_message_above_the_topics_limit_is_held_alone(rabbitmq, kafka, name, bridge, big):
    create_topic(kafka.kafka, name, **{"max.message.bytes": "10000"})
    with channel(rabbitmq.amqp) as ch:
        ch.queue_declare(name, durable=True)
        bodies = [b"%d" % i for i in range(1_000)]
        bodies[big] += b" " * 50_000
        publish(ch, name, *bodies, delivery_mode=2)
    broker = bridge(route("limited", queue_url(rabbitmq, name), topic_url(kafka, name)))
    until("the 999 arrived", lambda: watermarks(kafka.kafka, name)[1] >= 999, seconds=60)
    broker.stop()
    got = [int(m.value()) for m in read(kafka.kafka, name, 999)]
    assert got == [i for i in range(1_000) if i != big], "once and in order"
    assert watermarks(kafka.kafka, name)[1] == 999
    with channel(rabbitmq.amqp) as ch:
        assert get(ch, name)[2] == bodies[big], "it is held, not lost"
        assert ready(ch, name) == 0


def test_one_message_through_jq_arrives_within_a_second(kafka, name, bridge):
    """jq holds its output back when it writes to a pipe: a batch of one must not wait for more."""
    create_topic(kafka.kafka, name)
    broker = bridge(route("in", "standpipe:///in", topic_url(kafka, name), '{exec="jq -c ."}'))
    for number in range(3):
        began = time.monotonic()
        done = broker.run("pub", "--lines", f"standpipe://{broker.native}/in", stdin=b"one\n")
        assert done.returncode == 0, done.stderr.decode()
        until("it arrived", lambda: watermarks(kafka.kafka, name)[1] == number + 1, seconds=5)
        assert time.monotonic() - began < 1.0


def test_cp_through_sed_changes_every_line(kafka, name):
    create_topic(kafka.kafka, name)
    create_topic(kafka.kafka, f"{name}-out")
    acked(produce(kafka.kafka, name, [{"value": b"line %d" % i, "key": b"k"} for i in range(1_000)]))
    done = standpipe("cp", topic_url(kafka, name, **{"from": "earliest"}), topic_url(kafka, f"{name}-out"), "--drain",
                     "--exec-lines", "sed s/line/LINE/")
    assert done.returncode == 0, done.stderr.decode()
    got = read(kafka.kafka, f"{name}-out", 1_000)
    assert [(m.value(), m.key()) for m in got] == [(b"LINE %d" % i, b"k") for i in range(1_000)]
