"""docs/protocol-mapping.md, held to: what each protocol shows of what another one stored."""
from datetime import datetime, timezone
from decimal import Decimal

import pika
import pytest

from clients import amqp_client, cli_client, grpc_client, kafka_client
from clients.confluent_client import acked, create_topic, produce, read
from clients.message import Msg, mismatches
from clients.pika_client import channel, get

CLIENTS = {c.NAME: c for c in (amqp_client, kafka_client, grpc_client, cli_client)}
AT = 1_357_034_400_123

MESSAGES = {
    "plain": Msg(b"x", b"k", (("a", "1"),), AT),
    "no key, no headers": Msg(b"x", None, (), AT),
    "empty key": Msg(b"x", b"", (), AT),
    "tombstone": Msg(None, b"k", (), AT),
    "empty payload": Msg(b"", b"k", (), AT),
    "tombstone with headers": Msg(None, b"k", (("why", "gone"),), AT),
    "bytes that are not UTF-8": Msg(bytes(range(256)), b"\xff\x00", (("raw", b"\xff\xfe"),), AT),
    "null and empty headers": Msg(b"x", b"k", (("null", None), ("empty", "")), AT),
    "order of headers": Msg(b"x", b"k", (("z", "1"), ("a", "2"), ("m", "3")), AT),
    "duplicate headers": Msg(b"x", b"k", (("d", "1"), ("e", "2"), ("d", "3"), ("d", None)), AT),
    "text beyond ASCII": Msg("ü→𝄞".encode(), "ключ".encode(), (("имя", "значение"),), AT),
    "names that look like ours": Msg(b"x", b"k", (("timestamp_in_ms", "mine"),), AT),
    "the first millisecond": Msg(b"x", b"k", (), 1),
}


@pytest.mark.parametrize("case", MESSAGES)
@pytest.mark.parametrize("publisher", ["kafka", "grpc", "cli"])
def test_every_reader_sees_what_was_published(shared_broker, name, publisher, case):
    """AMQP as a reader here, as a publisher below: its clients cannot send all of these."""
    create_topic(shared_broker.kafka, name)
    CLIENTS[publisher].publish(shared_broker, name, [MESSAGES[case]])
    for reader, client in CLIENTS.items():
        wrong = mismatches([MESSAGES[case]], client.read_all(shared_broker, name, 1))
        assert not wrong, f"{reader}: {wrong}"


def on_amqp(broker, queue):
    with channel(broker.amqp) as ch:
        ch.queue_declare(queue, durable=True)
        return get(ch, queue, auto_ack=True)


def test_amqp_shows_a_kafka_record_in_headers(shared_broker, name):
    create_topic(shared_broker.kafka, name)
    record = {"value": None, "key": b"k", "timestamp": AT,
              "headers": [("d", b"1"), ("n", None), ("d", b"\xff"), ("e", b"")]}
    acked(produce(shared_broker.kafka, name, [record]))
    _, properties, body = on_amqp(shared_broker, name)
    assert body == b""
    assert properties.timestamp == AT // 1_000
    assert properties.headers == {
        "d": "1", "n": None, "e": "",
        "x-standpipe-headers": [["d", "1"], ["n", None], ["d", b"\xff"], ["e", ""]],
        "x-standpipe-key": "k", "x-standpipe-tombstone": True, "timestamp_in_ms": AT}


def test_a_record_without_anything_gains_nothing_but_its_time(shared_broker, name):
    create_topic(shared_broker.kafka, name)
    acked(produce(shared_broker.kafka, name, [{"value": b"x", "timestamp": AT}]))
    _, properties, body = on_amqp(shared_broker, name)
    assert (body, properties.headers) == (b"x", {"timestamp_in_ms": AT})


TYPED = {"int": 7, "negative": -5, "long": 1 << 40, "yes": True, "no": False, "void": None, "text": "ü",
         "octets": b"\xff\x00", "readable octets": b"abc", "decimal": Decimal("1.5"),
         "when": datetime(2013, 1, 1, 10, tzinfo=timezone.utc), "list": [1, "two", [True]], "table": {"k": {"deep": 1}}}


def publish_typed(broker, queue, **more):
    properties = pika.BasicProperties(headers=dict(TYPED), delivery_mode=2, **more)
    with channel(broker.amqp) as ch:
        ch.queue_declare(queue, durable=True)
        ch.exchange_declare(f"{queue}-x", "topic", durable=True)
        ch.queue_bind(queue, f"{queue}-x", "flights.*")
        ch.basic_publish(f"{queue}-x", "flights.UA", b"typed", properties, mandatory=True)


def test_typed_amqp_headers_are_text_on_kafka_with_their_types_beside(shared_broker, name):
    create_topic(shared_broker.kafka, name)
    publish_typed(shared_broker, name)
    headers = dict(read(shared_broker.kafka, name, 1)[0].headers())
    shown = {k: headers[k] for k in ("int", "negative", "long", "yes", "no", "void", "text", "octets", "readable octets")}
    assert shown == {"int": b"7", "negative": b"-5", "long": str(1 << 40).encode(), "yes": b"true", "no": b"false",
                     "void": None, "text": "ü".encode(), "octets": b"\xff\x00", "readable octets": b"abc"}
    types = dict(item.split(":") for item in headers["x-standpipe-types"].decode().split(","))
    assert types["yes"] == "bool"
    assert types["readable octets"] == "bytes"
    assert "text" not in types


@pytest.mark.parametrize("copied", [list, sorted, reversed])
def test_typed_amqp_headers_come_back_after_a_detour_over_kafka(shared_broker, name, copied):
    """AMQP -> a Kafka client that copies records, their headers as it likes to hold them -> AMQP."""
    create_topic(shared_broker.kafka, name)
    create_topic(shared_broker.kafka, f"{name}-copy")
    publish_typed(shared_broker, name, timestamp=AT // 1_000)
    record = read(shared_broker.kafka, name, 1)[0]
    headers = list(copied(record.headers()))
    acked(produce(shared_broker.kafka, f"{name}-copy", [
        {"value": record.value(), "key": record.key(), "headers": headers, "timestamp": record.timestamp()[1]}]))
    _, properties, body = on_amqp(shared_broker, f"{name}-copy")
    restored = {k: v for k, v in properties.headers.items() if k in TYPED}
    assert (body, restored) == (b"typed", TYPED)


def test_the_routing_key_is_kafkas_key_where_none_is_set(shared_broker, name):
    create_topic(shared_broker.kafka, name)
    publish_typed(shared_broker, name)
    assert read(shared_broker.kafka, name, 1)[0].key() == b"flights.UA"


def test_the_key_header_is_kafkas_key(shared_broker, name):
    create_topic(shared_broker.kafka, name)
    with channel(shared_broker.amqp) as ch:
        ch.queue_declare(name, durable=True)
        properties = pika.BasicProperties(headers={"x-standpipe-key": "UA", "a": "1"}, delivery_mode=2)
        ch.basic_publish("", name, b"", properties, mandatory=True)
        tombstone = pika.BasicProperties(headers={"x-standpipe-key": "UA", "x-standpipe-tombstone": True}, delivery_mode=2)
        ch.basic_publish("", name, b"", tombstone, mandatory=True)
    value, deleted = read(shared_broker.kafka, name, 2)
    assert (value.key(), value.value(), deleted.key(), deleted.value()) == (b"UA", b"", b"UA", None)
    assert "x-standpipe-key" not in dict(value.headers())


def test_exchange_and_routing_key_are_told_over_grpc_and_the_envelope(shared_broker, name):
    publish_typed(shared_broker, name)
    with grpc_client.Subscription(shared_broker, name, grpc_client.stubs()[0].MODE_POSITIONAL, credit=1) as sub:
        annotations = sub.message().message.annotations
    assert (annotations.exchange, annotations.routing_key) == (f"{name}-x".encode(), b"flights.UA")
    assert (annotations.topic, annotations.partition, annotations.offset) == (name.encode(), 0, 0)


def test_amqp_properties_survive_the_envelope(shared_broker, name):
    """amqp -> sub -> pub -> amqp, byte for byte, and the exchange it came from is not invented anew."""
    copy = f"{name}-copy"
    publish_typed(shared_broker, name, content_type="a/b", content_encoding="c", priority=3, correlation_id="d",
                  reply_to="e", message_id="f", type="g", app_id="h", timestamp=AT // 1_000)
    done = shared_broker.run("sub", shared_broker.url("amqp", name), "--count", 1)
    assert done.returncode == 0, done.stderr
    with channel(shared_broker.amqp) as ch:
        ch.queue_declare(copy, durable=True)
    done = shared_broker.run("pub", shared_broker.url("amqp", copy), stdin=done.stdout)
    assert done.returncode == 0, done.stderr
    _, got, body = on_amqp(shared_broker, copy)
    for field in ("content_type", "content_encoding", "priority", "correlation_id", "reply_to", "message_id",
                  "type", "app_id", "timestamp", "delivery_mode"):
        expected = {"content_type": "a/b", "content_encoding": "c", "priority": 3, "correlation_id": "d", "reply_to": "e",
                    "message_id": "f", "type": "g", "app_id": "h", "timestamp": AT // 1_000, "delivery_mode": 2}[field]
        assert getattr(got, field) == expected, field
    assert {k: v for k, v in got.headers.items() if k in TYPED} == TYPED
