"""`x-expires`: queues that go when nobody uses them; what needs no restart holds on RabbitMQ and on us."""
import pika
import pytest
from pika.exceptions import ChannelClosedByBroker, UnroutableError

from clients.confluent_client import acked, create_topic, produce, read
from clients.pika_client import channel, closes_channel, publish, ready
from harness import until

SOON, KEPT, LATER = 1000, 3000, 60_000
INVALID = {
    "zero": (0, "{value_zero,0}"),
    "negative": (-1, "{value_negative,-1}"),
    "too large": (315_360_000_001, "{value_too_large,315360000001}"),
    "text": ("1000", '"expected integer, got longstr"'),
    "truth": (True, '"expected integer, got bool"'),
    "nothing": (None, '"expected integer, got void"'),
    "table": ({}, '"expected integer, got table"'),
}


@pytest.fixture
def ch(amqp):
    with channel(amqp) as ch:
        yield ch


def expires(milliseconds) -> dict:
    return {"x-expires": milliseconds}


def exists(ch, queue: str) -> bool:
    """Asks on a channel of its own, without using the queue: a declaration of another kind is none."""
    probe = ch.connection.channel()
    try:
        probe.queue_declare(queue, auto_delete=True, exclusive=True)
        probe.queue_delete(queue)
        return False
    except ChannelClosedByBroker as error:
        assert error.reply_code == 405, error
        return True


def goes(ch, queue: str):
    until(f"{queue} is gone", lambda: not exists(ch, queue))


@pytest.mark.parametrize("durable", [True, False])
def test_an_unused_queue_goes_with_its_messages_and_bindings(ch, name, durable):
    ch.queue_declare(name, durable=durable, arguments=expires(KEPT))
    ch.queue_bind(name, "amq.fanout")
    publish(ch, name, b"x")
    goes(ch, name)
    with pytest.raises(UnroutableError):
        publish(ch, name, b"nobody has it")
    ch.queue_declare(name, durable=durable)
    ch.basic_publish("amq.fanout", "", b"not bound")
    assert ch.queue_delete(name).method.message_count == 0, "it inherits nothing"


@pytest.mark.parametrize("use", ["declare", "passive", "get"])
def test_using_it_begins_its_time_anew(ch, name, use):
    uses = {
        "declare": lambda: ch.queue_declare(name, arguments=expires(KEPT)),
        "passive": lambda: ch.queue_declare(name, passive=True),
        "get": lambda: ch.basic_get(name),
    }
    ch.queue_declare(name, arguments=expires(KEPT))
    for clock in (f"{name}-1", f"{name}-2"):
        ch.queue_declare(clock, arguments=expires(KEPT - SOON))
        until(f"{clock} is gone", lambda: uses[use]() and not exists(ch, clock), every=0.1)
    assert exists(ch, name)
    goes(ch, name)


def test_a_consumer_uses_it_all_the_time(ch, name):
    ch.queue_declare(name, arguments=expires(KEPT))
    tag = ch.basic_consume(name, lambda *_: None)
    for clock in (f"{name}-1", f"{name}-2"):
        ch.queue_declare(clock, arguments=expires(KEPT - SOON))
        goes(ch, clock)
    assert exists(ch, name)
    ch.basic_cancel(tag)
    assert exists(ch, name), "its time begins with the end of the last consumer"
    goes(ch, name)


def test_a_consumer_whose_connection_ends_uses_it_no_longer(amqp, ch, name):
    ch.queue_declare(name, arguments=expires(SOON))
    with channel(amqp) as other:
        other.basic_consume(name, lambda *_: None)
    goes(ch, name)


@pytest.mark.parametrize("value, why", INVALID.values(), ids=INVALID.keys())
def test_what_is_no_time_is_406(ch, name, value, why):
    text = f"PRECONDITION_FAILED - invalid arg 'x-expires' for queue '{name}' in vhost '/': {why}"
    closes_channel(ch, 406, lambda: ch.queue_declare(name, arguments=expires(value)), names=text)


@pytest.mark.parametrize("first, second, received, current", [
    (LATER, LATER + 1, "'60001'", "'60000'"),
    (LATER, None, "none", "the value '60000' of type 'signedint'"),
    (None, 2**33, "the value '8589934592' of type 'long'", "none"),
    (LATER, "60000", "'60000'", "'60000'"),
], ids=["other", "missing", "further", "text"])
def test_another_time_is_406(ch, name, first, second, received, current):
    def declare(value):
        return ch.queue_declare(name, exclusive=True, arguments={} if value is None else expires(value))
    declare(first)
    text = f"inequivalent arg 'x-expires' for queue '{name}' in vhost '/': received {received} but current is {current}"
    closes_channel(ch, 406, lambda: declare(second), names=text)


def test_the_same_time_in_a_wider_integer_is_the_same(ch, name):
    ch.queue_declare(name, exclusive=True, arguments=expires(LATER))
    ch.queue_declare(name, exclusive=True, arguments=expires(pika.compat.long(LATER)))


def test_it_is_kept_over_a_restart_that_begins_its_time_anew(durable, name):
    with channel(durable.amqp) as ch:
        ch.queue_declare(name, durable=True, arguments=expires(5000))
        publish(ch, name, b"x", delivery_mode=2)
    durable.kill()
    durable.start()
    with channel(durable.amqp) as ch:
        assert exists(ch, name) and ready(ch, name) == 1
        goes(ch, name)
    durable.stop()
    durable.start()
    with channel(durable.amqp) as ch:
        assert not exists(ch, name)


def test_a_kafka_topic_that_was_there_before_stays(shared_broker, name):
    create_topic(shared_broker.kafka, name)
    acked(produce(shared_broker.kafka, name, [{"value": str(i).encode()} for i in range(100)]))
    with channel(shared_broker.amqp) as ch:
        ch.queue_declare(name, durable=True, arguments=expires(KEPT))
        assert ready(ch, name) == 100
        goes(ch, name)
    assert [m.value() for m in read(shared_broker.kafka, name, 100)] == [str(i).encode() for i in range(100)]
