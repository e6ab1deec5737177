"""Exchanges, bindings, mandatory and confirms; every test holds on RabbitMQ and on us."""
import pika
import pytest
from pika.exceptions import ChannelClosedByBroker, UnroutableError

from clients.pika_client import channel, closes_channel, get, publish, ready, take


@pytest.fixture
def ch(amqp):
    with channel(amqp) as ch:
        yield ch


def reached(ch, exchange, key, queues, headers=None) -> list[str]:
    """Publishes once, and says which of `queues` got it, how many times."""
    ch.basic_publish(exchange, key, b"x", pika.BasicProperties(headers=headers))
    hits = []
    for queue in queues:
        while ch.basic_get(queue, auto_ack=True)[0]:
            hits.append(queue)
    return hits


def bound(ch, name, exchange, keys, arguments=None) -> list[str]:
    """One queue for every key (or every set of arguments), bound to `exchange`."""
    queues = []
    for i, key in enumerate(keys):
        queue = ch.queue_declare(f"{name}-{i}").method.queue
        ch.queue_bind(queue, exchange, key, arguments=arguments[i] if arguments else None)
        queues.append(queue)
    return queues


def test_the_default_exchange_reaches_a_queue_by_its_name(ch, name):
    ch.queue_declare(name)
    publish(ch, name, b"x")
    method = get(ch, name)[0]
    assert (method.exchange, method.routing_key) == ("", name)


def test_direct_routes_by_the_exact_key(ch, name):
    ch.exchange_declare(name, "direct")
    a, b, c = bound(ch, name, name, ["k", "k", "other"])
    assert reached(ch, name, "k", [a, b, c]) == [a, b]
    assert reached(ch, name, "K", [a, b, c]) == []


def test_fanout_reaches_every_queue_once_whatever_the_key(ch, name):
    ch.exchange_declare(name, "fanout")
    a, b = bound(ch, name, name, ["", "unused"])
    ch.queue_bind(a, name, "twice")
    assert reached(ch, name, "anything", [a, b]) == [a, b]


TOPIC_CASES = [
    ("flights.UA", {"flights.*", "flights.#", "#", "*.UA", "flights.UA", "#.UA"}),
    ("flights.UA.EWR", {"flights.#", "#", "flights.*.EWR", "#.EWR"}),
    ("flights", {"flights.#", "#", "*"}),
    ("", {"#"}),
    ("flights..EWR", {"flights.#", "#", "flights.*.EWR", "#.EWR"}),
    ("other.UA", {"#", "*.UA", "#.UA"}),
    ("UA", {"#", "*", "#.UA"}),
]
PATTERNS = ["flights.*", "flights.#", "#", "*", "*.UA", "flights.UA", "flights.*.EWR", "#.UA", "#.EWR"]


def test_topic_matches_words_and_wildcards(ch, name):
    ch.exchange_declare(name, "topic")
    queues = bound(ch, name, name, PATTERNS)
    for key, expected in TOPIC_CASES:
        hits = {PATTERNS[queues.index(q)] for q in reached(ch, name, key, queues)}
        assert hits == expected, key


def test_headers_match_all_or_any(ch, name):
    ch.exchange_declare(name, "headers")
    queues = bound(ch, name, name, ["", "", "", ""], [
        {"x-match": "all", "a": 1, "b": "two"},
        {"x-match": "any", "a": 1, "b": "two"},
        {"a": 1},                       # all is the default
        {"x-match": "all", "a": None},  # present, with any value
    ])
    both, either, single, present = queues
    assert reached(ch, name, "", queues, {"a": 1, "b": "two"}) == queues
    assert reached(ch, name, "", queues, {"a": 1}) == [either, single, present]
    assert reached(ch, name, "", queues, {"b": "two"}) == [either]
    assert reached(ch, name, "", queues, {"a": "1"}) == [present]
    assert reached(ch, name, "", queues) == []


@pytest.mark.parametrize("exchange", ["amq.direct", "amq.fanout", "amq.topic", "amq.headers", "amq.match"])
def test_the_predeclared_exchanges_are_there(ch, exchange):
    ch.exchange_declare(exchange, passive=True)


def test_a_queue_bound_twice_to_one_exchange_gets_one_copy(ch, name):
    ch.exchange_declare(name, "topic")
    queue = bound(ch, name, name, ["a.*"])[0]
    ch.queue_bind(queue, name, "*.b")
    ch.queue_bind(queue, name, "a.*")
    assert reached(ch, name, "a.b", [queue]) == [queue]


def test_mandatory_returns_what_no_queue_takes_before_its_confirm(ch, name):
    ch.exchange_declare(name, "direct")
    with pytest.raises(UnroutableError) as caught:
        ch.basic_publish(name, "nowhere", b"back", mandatory=True)
    returned = caught.value.messages[0]
    assert (returned.method.reply_code, returned.method.reply_text) == (312, "NO_ROUTE")
    assert (returned.method.exchange, returned.method.routing_key) == (name, "nowhere")
    assert returned.body == b"back"


def test_without_mandatory_the_unroutable_is_confirmed_and_dropped(ch, name):
    ch.exchange_declare(name, "direct")
    ch.basic_publish(name, "nowhere", b"x")


def test_mandatory_to_a_missing_queue_is_returned(ch, name):
    with pytest.raises(UnroutableError):
        ch.basic_publish("", name, b"x", mandatory=True)


def test_publish_to_a_missing_exchange_is_404(ch, name):
    closes_channel(ch, 404, lambda: ch.basic_publish(name, "k", b"x"), names=name)


def test_exchange_redeclared_with_another_type_is_406(ch, name):
    ch.exchange_declare(name, "direct")
    closes_channel(ch, 406, lambda: ch.exchange_declare(name, "fanout"), names="type")


def test_passive_declare_of_a_missing_exchange_is_404(ch, name):
    closes_channel(ch, 404, lambda: ch.exchange_declare(name, passive=True), names=name)


def test_exchange_names_starting_with_amq_are_403(ch):
    closes_channel(ch, 403, lambda: ch.exchange_declare("amq.mine", "direct"), names="amq.")


def test_the_default_exchange_can_be_neither_bound_nor_deleted(amqp, name):
    with channel(amqp) as ch:
        ch.queue_declare(name)
        closes_channel(ch, 403, lambda: ch.queue_bind(name, "", "k"))
    with channel(amqp) as ch:
        closes_channel(ch, 403, lambda: ch.exchange_delete(""))


def test_an_exchange_in_use_is_not_deleted_if_unused_was_asked(ch, amqp, name):
    ch.exchange_declare(name, "direct")
    bound(ch, name, name, ["k"])
    closes_channel(ch, 406, lambda: ch.exchange_delete(name, if_unused=True), names="in use")
    with channel(amqp) as other:
        other.exchange_delete(name)
        closes_channel(other, 404, lambda: other.exchange_declare(name, passive=True))


def test_an_auto_delete_exchange_ends_with_its_last_binding(amqp, name):
    with channel(amqp) as ch:
        ch.exchange_declare(name, "direct", auto_delete=True)
        queue = bound(ch, name, name, ["k"])[0]
        ch.exchange_declare(name, passive=True)
        ch.queue_unbind(queue, name, "k")
        with pytest.raises(ChannelClosedByBroker) as caught:
            ch.exchange_declare(name, passive=True)
        assert caught.value.reply_code == 404


def test_deleting_an_exchange_ends_its_bindings(ch, name):
    ch.exchange_declare(name, "fanout")
    queue = bound(ch, name, name, [""])[0]
    ch.exchange_delete(name)
    ch.exchange_declare(name, "fanout")
    assert reached(ch, name, "", [queue]) == []


def test_one_publish_reaches_queues_of_several_bindings_in_order(ch, name):
    ch.exchange_declare(name, "topic", durable=True)
    queues = bound(ch, name, name, ["#", "a.#", "#.b"])
    for i in range(50):
        ch.basic_publish(name, "a.b", str(i).encode())
    for queue in queues:
        assert [b for _, _, b in take(ch, queue, 50)] == [str(i).encode() for i in range(50)]
        ch.cancel()
        assert ready(ch, queue) == 0


def test_what_matches_nothing_goes_to_the_alternate_exchange(ch, name):
    ch.exchange_declare(f"{name}-x", "direct", auto_delete=True, arguments={"alternate-exchange": f"{name}-ae"})
    ch.queue_declare(name, exclusive=True)
    ch.queue_bind(name, f"{name}-x", routing_key="bound")
    with pytest.raises(UnroutableError):
        ch.basic_publish(f"{name}-x", "other", b"the alternate is not there", mandatory=True)
    ch.exchange_declare(f"{name}-ae", "fanout", auto_delete=True)
    ch.queue_declare(f"{name}-2", exclusive=True)
    ch.queue_bind(f"{name}-2", f"{name}-ae")
    for key in ("bound", "other"):
        ch.basic_publish(f"{name}-x", key, key.encode(), mandatory=True)
    assert get(ch, name, auto_ack=True)[2] == b"bound" and get(ch, f"{name}-2", auto_ack=True)[2] == b"other"


def test_another_alternate_exchange_is_406(ch, name):
    ch.exchange_declare(name, auto_delete=True, arguments={"alternate-exchange": "a"})
    declare = lambda ae: ch.exchange_declare(name, auto_delete=True, arguments={"alternate-exchange": ae})
    text = f"inequivalent arg 'alternate-exchange' for exchange '{name}' in vhost '/': received 'b' but current is 'a'"
    closes_channel(ch, 406, lambda: declare("b"), names=text)


def test_an_alternate_exchange_that_is_no_name_is_406(ch, name):
    declare = lambda: ch.exchange_declare(name, auto_delete=True, arguments={"alternate-exchange": 1})
    closes_channel(ch, 406, declare, names=f"invalid type 'signedint' for arg 'alternate-exchange' in exchange '{name}'")
