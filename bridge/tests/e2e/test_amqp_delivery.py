"""Delivery, settling, prefetch and order; every test holds on RabbitMQ and on us."""
from datetime import datetime, timezone
from decimal import Decimal

import pika
import pytest

from clients.pika_client import channel, closes_channel, connection, get, publish, ready, take
from harness import until


@pytest.fixture
def ch(amqp, name):
    with channel(amqp) as ch:
        ch.queue_declare(name)
        yield ch


def numbers(count, first=0) -> list[bytes]:
    return [str(i).encode() for i in range(first, first + count)]


class Inbox:
    """What one consumer was given, in order, and not settled."""

    def __init__(self, ch, queue, prefetch=None, **more):
        if prefetch is not None:
            ch.basic_qos(prefetch_count=prefetch)
        self.ch, self.got = ch, []
        self.tag = ch.basic_consume(
            queue, lambda _ch, m, p, body: self.got.append((m, p, body)), **more)

    def bodies(self):
        self.ch.connection.process_data_events(0)
        return [body for _, _, body in self.got]

    def has(self, *bodies):
        until(f"exactly {bodies}", lambda: self.bodies() == list(bodies), seconds=10)

    def tag_of(self, body):
        return next(m.delivery_tag for m, _, b in reversed(self.got) if b == body)


def settle_down(ch):
    """A synchronous round trip: what was sent before on this channel has been handled."""
    ch.basic_qos(prefetch_count=0)


def test_properties_and_headers_come_back_as_they_were(ch, name):
    sent = pika.BasicProperties(
        content_type="application/json", content_encoding="utf-8", delivery_mode=2, priority=3,
        correlation_id="c-1", reply_to="r", expiration="3600000", message_id="m-1", timestamp=1357034400,
        type="flight", user_id="guest", app_id="test", cluster_id="x",
        headers={"text": "ü", "int": 7, "long": 1 << 40, "neg": -5, "decimal": Decimal("0.5"), "when": datetime(2013, 1, 1, 10, tzinfo=timezone.utc), "yes": True, "none": None,
                 "bytes": bytes([0xff, 0]), "list": [1, "two", [3]], "table": {"k": {"deep": 1}}})
    ch.basic_publish("", name, b"x", sent, mandatory=True)
    _, got, body = get(ch, name)
    assert body == b"x"
    assert vars(got) == vars(sent)


@pytest.mark.parametrize("size", [0, 1, 131_064, 131_072, 131_073, 1_000_000, 5_000_000])
def test_bodies_of_any_size_arrive_whole(ch, name, size):
    body = (bytes(range(251)) * (size // 251 + 1))[:size]
    ch.basic_publish("", name, body, mandatory=True)
    assert get(ch, name)[2] == body


def test_an_empty_queue_answers_get_with_empty(ch, name):
    assert ch.basic_get(name) == (None, None, None)


def test_get_says_how_many_remain(ch, name):
    publish(ch, name, *numbers(3))
    assert get(ch, name)[0].message_count == 2


def test_two_consumers_share_and_nothing_comes_twice(ch, name):
    first, second = Inbox(ch, name), Inbox(ch, name)
    publish(ch, name, *numbers(100))
    until("all is out", lambda: len(first.bodies() + second.bodies()) == 100)
    assert sorted(first.bodies() + second.bodies()) == sorted(numbers(100))
    assert len(first.got) >= 30 and len(second.got) >= 30, "fairly"


def test_prefetch_holds_back_until_an_ack(ch, name):
    publish(ch, name, *numbers(5))
    inbox = Inbox(ch, name, prefetch=2)
    inbox.has(b"0", b"1")
    ch.basic_ack(inbox.tag_of(b"0"))
    inbox.has(b"0", b"1", b"2")
    assert ready(ch, name) == 2


def test_qos_of_a_consumer_is_each_consumers_own(ch, name):
    publish(ch, name, *numbers(10))
    ch.basic_qos(prefetch_count=3)
    first, second = Inbox(ch, name), Inbox(ch, name)
    until("three each", lambda: (len(first.bodies()), len(second.bodies())) == (3, 3))
    assert ready(ch, name) == 4


def test_qos_of_a_channel_is_shared_by_its_consumers(ch, name):
    publish(ch, name, *numbers(10))
    ch.basic_qos(prefetch_count=3, global_qos=True)
    first, second = Inbox(ch, name), Inbox(ch, name)
    until("three in all", lambda: len(first.bodies() + second.bodies()) == 3)
    settle = (first.got or second.got)[0][0].delivery_tag
    ch.basic_ack(settle)
    until("one more", lambda: len(first.bodies() + second.bodies()) == 4)
    assert ready(ch, name) == 6


def test_auto_ack_takes_no_credit_and_needs_no_ack(ch, name, amqp):
    publish(ch, name, *numbers(20))
    inbox = Inbox(ch, name, prefetch=1, auto_ack=True)
    until("all twenty", lambda: len(inbox.bodies()) == 20)
    with channel(amqp) as other:
        assert ready(other, name) == 0


def test_ack_multiple_settles_all_up_to_the_tag(amqp, name):
    with connection(amqp) as conn:
        ch = conn.channel()
        ch.queue_declare(name)
        publish(ch, name, *numbers(5))
        tags = [get(ch, name)[0].delivery_tag for _ in range(5)]
        ch.basic_ack(tags[3], multiple=True)
        settle_down(ch)
    with channel(amqp) as ch:
        method, _, body = get(ch, name)
        assert (body, method.redelivered) == (b"4", True)
        assert ready(ch, name) == 0


def test_ack_zero_multiple_settles_all(amqp, name):
    with connection(amqp) as conn:
        ch = conn.channel()
        ch.queue_declare(name)
        publish(ch, name, *numbers(3))
        for _ in range(3):
            get(ch, name)
        ch.basic_ack(0, multiple=True)
        settle_down(ch)
    with channel(amqp) as ch:
        assert ready(ch, name) == 0


def test_nack_redelivers_to_another_consumer(ch, amqp, name):
    publish(ch, name, b"x")
    method = get(ch, name)[0]
    assert not method.redelivered
    ch.basic_nack(method.delivery_tag, requeue=True)
    with channel(amqp) as other:
        method, _, body = get(other, name)
        assert (body, method.redelivered) == (b"x", True)


def test_reject_without_requeue_forgets(ch, amqp, name):
    publish(ch, name, b"a", b"b")
    ch.basic_reject(get(ch, name)[0].delivery_tag, requeue=False)
    ch.basic_nack(get(ch, name)[0].delivery_tag, requeue=False)
    settle_down(ch)
    ch.close()
    with channel(amqp) as other:
        assert ready(other, name) == 0


def test_nack_multiple_requeues_all_up_to_the_tag(ch, name):
    publish(ch, name, *numbers(4))
    tags = [get(ch, name)[0].delivery_tag for _ in range(4)]
    ch.basic_nack(tags[2], multiple=True, requeue=True)
    assert [get(ch, name)[2] for _ in range(3)] == numbers(3)
    assert ch.basic_get(name)[0] is None, "the fourth is still held"


def test_requeue_keeps_the_place(ch, name):
    publish(ch, name, *numbers(5))
    held = [get(ch, name) for _ in range(3)]
    for method, _, _ in reversed(held):
        ch.basic_reject(method.delivery_tag, requeue=True)
    got = [get(ch, name) for _ in range(5)]
    assert [b for _, _, b in got] == numbers(5)
    assert [m.redelivered for m, _, _ in got] == [True] * 3 + [False] * 2


def test_recover_requeues_all_that_is_unacked_on_the_channel(ch, name):
    publish(ch, name, *numbers(3))
    for _ in range(3):
        get(ch, name)
    ch.basic_recover(requeue=True)
    got = [get(ch, name) for _ in range(3)]
    assert [(b, m.redelivered) for m, _, b in got] == [(n, True) for n in numbers(3)]


@pytest.mark.parametrize("end", ["channel", "connection"])
def test_what_is_unacked_returns_in_order_when_its_holder_ends(amqp, name, end):
    with channel(amqp) as watcher:
        watcher.queue_declare(name)
        publish(watcher, name, *numbers(4))
        with connection(amqp) as holder:
            ch = holder.channel()
            take(ch, name, 4, ack=False)
            ch.close() if end == "channel" else holder.close()
            until("all is back", lambda: ready(watcher, name) == 4)
        got = [get(watcher, name) for _ in range(4)]
        assert [(b, m.redelivered) for m, _, b in got] == [(n, True) for n in numbers(4)]


def test_cancel_keeps_what_was_delivered_unacked(ch, name):
    publish(ch, name, *numbers(3))
    inbox = Inbox(ch, name, prefetch=2)
    inbox.has(b"0", b"1")
    ch.basic_cancel(inbox.tag)
    assert ready(ch, name) == 1
    ch.basic_ack(inbox.got[1][0].delivery_tag, multiple=True)
    assert get(ch, name)[2] == b"2"


def test_delivery_tags_count_up_per_channel(ch, name):
    publish(ch, name, *numbers(3))
    inbox = Inbox(ch, name)
    inbox.has(*numbers(3))
    assert [m.delivery_tag for m, _, _ in inbox.got] == [1, 2, 3]
    assert {m.consumer_tag for m, _, _ in inbox.got} == {inbox.tag}


def test_an_exclusive_consumer_is_alone(ch, amqp, name):
    Inbox(ch, name, exclusive=True)
    with channel(amqp) as other:
        closes_channel(other, 403, lambda: other.basic_consume(name, lambda *_: None), names=name)


def test_a_message_of_one_channel_is_seen_by_a_waiting_consumer_of_another(amqp, name):
    with channel(amqp) as consumer, channel(amqp) as publisher:
        consumer.queue_declare(name)
        inbox = Inbox(consumer, name)
        publish(publisher, name, b"hello")
        inbox.has(b"hello")


def test_order_holds_for_ten_thousand(ch, name):
    unconfirmed = ch.connection.channel()
    for body in numbers(10_000):
        unconfirmed.basic_publish("", name, body)
    assert [b for _, _, b in take(unconfirmed, name, 10_000)] == numbers(10_000)
