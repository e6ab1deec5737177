"""Queues as AMQP 0-9-1 and RabbitMQ have them; every test holds on both."""
import pytest
from pika.exceptions import ChannelClosedByBroker

from clients.pika_client import channel, closes_channel, connection, get, publish, ready
from harness import until


@pytest.fixture
def ch(amqp):
    with channel(amqp) as ch:
        yield ch


def test_declare_is_idempotent_and_counts_what_is_ready(ch, name):
    ch.queue_declare(name, durable=True)
    publish(ch, name, b"a", b"b")
    again = ch.queue_declare(name, durable=True).method
    assert (again.queue, again.message_count, again.consumer_count) == (name, 2, 0)


def test_passive_declare_of_a_missing_queue_is_404(ch, name):
    closes_channel(ch, 404, lambda: ch.queue_declare(name, passive=True), names=name)


def test_redeclaring_with_other_properties_is_406(ch, name):
    ch.queue_declare(name, durable=True)
    closes_channel(ch, 406, lambda: ch.queue_declare(name, durable=False), names="durable")


# What clients say by default to a cluster: nothing of it is asked of one node.
FOR_CLUSTERS = {"x-ha-policy": "all", "x-queue-master-locator": "client-local", "x-queue-mode": "lazy",
                "x-queue-version": 1}


@pytest.mark.parametrize("argument", FOR_CLUSTERS)
def test_arguments_that_ask_nothing_of_one_node_are_taken(ch, name, argument):
    for _ in range(2):
        ch.queue_declare(name, durable=True, arguments={argument: FOR_CLUSTERS[argument]})
    publish(ch, name, b"x")
    assert get(ch, name)[2] == b"x"


@pytest.mark.parametrize("argument, value", [("x-queue-mode", "busy"), ("x-queue-mode", 1), ("x-queue-version", 3),
                                             ("x-queue-version", "2")])
def test_such_an_argument_with_a_value_that_it_cannot_have_is_406(ch, name, argument, value):
    closes_channel(ch, 406, lambda: ch.queue_declare(name, arguments={argument: value}), names=argument)


def test_a_consumer_may_ask_for_the_priority_that_it_has_anyway(ch, name):
    ch.queue_declare(name)
    ch.basic_consume(name, print, arguments={"x-priority": 0})
    closes_channel(ch, 406, lambda: ch.basic_consume(name, print, arguments={"x-priority": "0"}), names="x-priority")


def test_passive_declare_ignores_other_properties(ch, name):
    ch.queue_declare(name, durable=True)
    assert ch.queue_declare(name, passive=True, durable=False).method.queue == name


def test_server_named_queues_are_unique_and_usable(ch):
    first = ch.queue_declare("", exclusive=True).method.queue
    second = ch.queue_declare("", exclusive=True).method.queue
    assert first.startswith("amq.gen") and second.startswith("amq.gen") and first != second
    publish(ch, first, b"x")
    assert get(ch, first)[2] == b"x"


def test_the_empty_name_means_the_last_declared_queue(ch):
    queue = ch.queue_declare("", exclusive=True).method.queue
    ch.queue_bind("", "amq.direct", routing_key="last")
    ch.basic_publish("amq.direct", "last", b"x")
    assert get(ch, "", auto_ack=True)[2] == b"x"
    assert ch.queue_purge("").method.message_count == 0
    assert ready(ch, queue) == 0


def test_names_starting_with_amq_are_403(ch):
    closes_channel(ch, 403, lambda: ch.queue_declare("amq.mine"), names="amq.")


def test_an_exclusive_queue_is_405_to_others_and_ends_with_its_connection(amqp, name):
    with channel(amqp) as watcher:
        with connection(amqp) as owner:
            owner.channel().queue_declare(name, exclusive=True)
            closes_channel(watcher, 405, lambda: watcher.queue_declare(name, passive=True), names=name)
        with channel(amqp) as other:
            until("the name is free again", lambda: other.queue_declare(name, exclusive=True))


def test_an_exclusive_queue_serves_every_channel_of_its_connection(amqp, name):
    with connection(amqp) as conn:
        first, second = conn.channel(), conn.channel()
        first.queue_declare(name, exclusive=True)
        second.basic_publish("", name, b"x")
        assert get(second, name)[2] == b"x"


def exists(amqp, queue) -> bool:
    with channel(amqp) as ch:
        try:
            ch.queue_declare(queue, passive=True)
            return True
        except ChannelClosedByBroker as error:
            assert error.reply_code == 404
            return False


def test_auto_delete_waits_for_the_first_and_ends_with_the_last_consumer(amqp, ch, name):
    ch.queue_declare(name, auto_delete=True)
    assert exists(amqp, name), "no consumer yet: it stays"
    tags = [ch.basic_consume(name, lambda *_: None) for _ in range(2)]
    ch.basic_cancel(tags[0])
    assert exists(amqp, name)
    ch.basic_cancel(tags[1])
    until("it is gone", lambda: not exists(amqp, name))


def test_auto_delete_ends_when_the_consumers_connection_ends(amqp, name):
    with connection(amqp) as conn:
        ch = conn.channel()
        ch.queue_declare(name, auto_delete=True)
        ch.basic_consume(name, lambda *_: None)
        assert exists(amqp, name)
    until("it is gone", lambda: not exists(amqp, name))


def test_purge_takes_what_is_ready_and_leaves_what_is_unacked(ch, name):
    ch.queue_declare(name)
    publish(ch, name, b"held", b"b", b"c")
    held = get(ch, name)[0]
    assert ch.queue_purge(name).method.message_count == 2
    ch.basic_nack(held.delivery_tag)
    assert get(ch, name)[2] == b"held"


def test_purge_of_a_missing_queue_is_404(ch, name):
    closes_channel(ch, 404, lambda: ch.queue_purge(name), names=name)


def test_delete_says_how_many_it_took_and_is_idempotent(amqp, ch, name):
    ch.queue_declare(name)
    publish(ch, name, b"a", b"b", b"c")
    assert ch.queue_delete(name).method.message_count == 3
    assert not exists(amqp, name)
    assert ch.queue_delete(name).method.message_count == 0, "as in RabbitMQ, no 404"


def test_delete_if_empty_refuses_a_full_queue(ch, name):
    ch.queue_declare(name)
    publish(ch, name, b"a")
    closes_channel(ch, 406, lambda: ch.queue_delete(name, if_empty=True), names="not empty")


def test_delete_if_unused_refuses_a_consumed_queue(amqp, ch, name):
    ch.queue_declare(name)
    ch.basic_consume(name, lambda *_: None)
    with channel(amqp) as other:
        closes_channel(other, 406, lambda: other.queue_delete(name, if_unused=True), names="in use")


def test_deleting_a_queue_cancels_its_consumers(amqp, ch, name):
    """The `consumer_cancel_notify` extension, which every client of today relies on."""
    cancelled = []
    ch.queue_declare(name)
    ch.add_on_cancel_callback(lambda frame: cancelled.append(frame.method.consumer_tag))
    tag = ch.basic_consume(name, lambda *_: None)
    with channel(amqp) as other:
        other.queue_delete(name)

    def told():
        ch.connection.process_data_events(0)
        return cancelled == [tag]
    until("basic.cancel arrives", told)


def test_a_declared_queue_starts_anew_after_delete(ch, name):
    ch.queue_declare(name)
    publish(ch, name, b"old")
    ch.queue_delete(name)
    assert ch.queue_declare(name).method.message_count == 0


def test_unbind_stops_routing_and_forgets_only_that_binding(ch, name):
    ch.queue_declare(name)
    for key in ("one", "two"):
        ch.queue_bind(name, "amq.direct", key + name)
    ch.queue_unbind(name, "amq.direct", "one" + name)
    for key in ("one", "two"):
        ch.basic_publish("amq.direct", key + name, key.encode())
    assert get(ch, name)[2] == b"two"
    assert ready(ch, name) == 0


def test_binding_to_what_is_missing_is_404(amqp, name):
    with channel(amqp) as ch:
        ch.queue_declare(name)
        closes_channel(ch, 404, lambda: ch.queue_bind(name, name + "-x", "k"), names=name + "-x")
    with channel(amqp) as ch:
        closes_channel(ch, 404, lambda: ch.queue_bind(name + "-q", "amq.direct", "k"), names=name + "-q")
