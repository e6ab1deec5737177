"""Delayed messages and times to live, through the real binary; each test waits for the event."""
import json
import subprocess
import time

import pika
import pytest

from clients.pika_client import channel
from harness import standpipe_bin, until

DELAY = 2.0


def publish(broker, scheme, name, payload, *flags):
    line = json.dumps({"payload": payload}).encode() + b"\n"
    done = broker.run("pub", broker.url(scheme, name), *flags, stdin=line)
    assert done.returncode == 0, done.stderr.decode()


def take(broker, name, count=1):
    """Waits for so many messages; their payloads."""
    done = broker.run("sub", broker.url("standpipe", name), "--count", count)
    assert done.returncode == 0, done.stderr.decode()
    return [json.loads(line)["payload"] for line in done.stdout.splitlines()]


def drained(broker, name):
    done = broker.run("sub", broker.url("standpipe", name), "--drain")
    assert done.returncode == 0, done.stderr.decode()
    return [json.loads(line)["payload"] for line in done.stdout.splitlines()]


@pytest.mark.parametrize("scheme", ("standpipe", "grpc"))
def test_a_delayed_message_comes_when_it_is_due_and_not_before(shared_broker, name, scheme):
    began = time.monotonic()
    publish(shared_broker, scheme, name, "later", "--delay", "5s")
    publish(shared_broker, scheme, name, "now")
    assert take(shared_broker, name, 2) == ["now", "later"]
    waited = time.monotonic() - began
    assert 5 <= waited < 60, waited


def test_a_delayed_message_survives_a_kill_and_is_delivered_once(durable, name):
    began = time.monotonic()
    publish(durable, "standpipe", name, "later", "--delay", "2s")
    durable.kill()
    durable.start()
    assert take(durable, name) == ["later"]
    assert time.monotonic() - began >= DELAY
    durable.kill()
    durable.start()
    assert drained(durable, name) == []
    publish(durable, "standpipe", name, "again", "--delay", "1s")  # in a log that was dropped before
    durable.kill()
    durable.start()
    assert take(durable, name) == ["again"]
    durable.kill()
    durable.start()
    assert drained(durable, name) == []


def test_what_was_due_while_the_broker_was_down_comes_at_once(durable, name):
    publish(durable, "standpipe", name, "later", "--delay", "1s")
    durable.kill()
    due = time.monotonic() + 1
    until("its time is over", lambda: time.monotonic() > due)
    durable.start()
    assert take(durable, name) == ["later"]


@pytest.mark.parametrize("scheme", ("standpipe", "grpc", "amqp"))
def test_a_message_expires_in_a_queue_that_nobody_consumes(shared_broker, name, scheme):
    with channel(shared_broker.amqp) as ch:
        ch.queue_declare(name, durable=True)
        publish(shared_broker, scheme, name, "goes", "--ttl", "1s")
        publish(shared_broker, scheme, name, "stays")
        count = lambda: ch.queue_declare(name, passive=True).method.message_count
        until("the message expired", lambda: count() == 1)
        _, _, body = ch.basic_get(name, auto_ack=True)
        assert body == b"stays"


def test_amqp_expiration_acts(shared_broker, name):
    with channel(shared_broker.amqp) as ch:
        ch.queue_declare(name, durable=True)
        ch.basic_publish("", name, b"goes", pika.BasicProperties(expiration="500"))
        until("it expired", lambda: ch.queue_declare(name, passive=True).method.message_count == 0)
        assert ch.basic_get(name, auto_ack=True)[2] is None


@pytest.mark.parametrize("scheme, flag", (("kafka", "--ttl"), ("kafka", "--delay"), ("amqp", "--delay")))
def test_a_scheme_that_cannot_carry_it_is_refused_by_name(shared_broker, name, scheme, flag):
    done = shared_broker.run("pub", shared_broker.url(scheme, name), flag, "1s", stdin=b"")
    assert done.returncode == 64, done.stderr.decode()
    assert f"{scheme}:// cannot carry {flag}" in done.stderr.decode()


def test_a_duration_that_makes_no_sense_is_refused(shared_broker, name):
    done = subprocess.run([standpipe_bin(), "pub", shared_broker.url("standpipe", name), "--delay", "5"],
                          input=b"", capture_output=True, timeout=60)
    assert done.returncode == 64 and b"is not a duration" in done.stderr
