"""What a channel sees of itself; every test holds on RabbitMQ and on us."""
import socket

import pika
import pytest

from clients.pika_client import PERSISTENT, channel, closes_channel, connection, ready
from harness import until

REPLY_TO = "amq.rabbitmq.reply-to"


@pytest.fixture(params=[True, False], ids=["confirms", "no-confirms"])
def ch(amqp, name, request):
    """A channel with a durable queue; pika waits for each confirm, so that only the other hurries."""
    with channel(amqp, confirms=request.param) as ch:
        ch.queue_declare(name, durable=True)
        yield ch
        ch.queue_delete(name)


def test_a_get_finds_what_was_published_just_before(ch, name):
    for i in range(100):
        ch.basic_publish("", name, str(i).encode(), PERSISTENT)
        _, _, body = ch.basic_get(name, auto_ack=True)
        assert body == str(i).encode()


def test_purge_and_delete_know_what_was_published_just_before(ch, name):
    for _ in range(30):
        ch.basic_publish("", name, b"x", PERSISTENT)
        assert ch.queue_purge(name).method.message_count == 1
    ch.basic_publish("", name, b"x", PERSISTENT)
    assert ch.queue_delete(name).method.message_count == 1


def test_another_connection_sees_what_was_published_before_the_close(amqp, name):
    with channel(amqp, confirms=False) as ch:
        ch.queue_declare(name, durable=True)
    for i in range(30):
        with channel(amqp, confirms=False) as ch:
            ch.basic_publish("", name, str(i).encode(), PERSISTENT)
        with channel(amqp, confirms=False) as ch:
            assert ch.basic_get(name, auto_ack=True)[2] == str(i).encode()
            if i == 29:
                ch.queue_delete(name)


def test_a_consumer_without_acks_waits_for_the_channels_prefetch(amqp, name):
    with channel(amqp) as ch:
        other, got = f"{name}-2", []
        for queue in (name, other):
            ch.queue_declare(queue)
        ch.basic_qos(prefetch_count=1, global_qos=True)
        ch.basic_consume(name, lambda _ch, m, _p, body: got.append((m.delivery_tag, body)))
        ch.basic_publish("", name, b"held")
        until("a delivery", lambda: ch.connection.process_data_events(0) or got, seconds=10)
        ch.basic_consume(other, lambda _ch, m, _p, body: got.append((0, body)), auto_ack=True)
        for body in (b"1", b"2"):
            ch.basic_publish("", other, body)
        assert ready(ch, other) == 2 and len(got) == 1
        ch.basic_ack(got[0][0])
        until("the rest", lambda: ch.connection.process_data_events(0) or len(got) == 3, seconds=10)
        assert got[1:] == [(0, b"1"), (0, b"2")]


def test_replies_go_straight_to_who_asked(amqp, name):
    with channel(amqp) as asker, channel(amqp) as answerer:
        asker.queue_declare(name)
        replies = []
        asker.basic_consume(REPLY_TO, lambda _ch, m, p, body: replies.append((m, p, body)), auto_ack=True)
        asker.basic_publish("", name, b"ask", pika.BasicProperties(reply_to=REPLY_TO, correlation_id="7"))
        _, request, body = answerer.basic_get(name, auto_ack=True)
        assert body == b"ask" and request.reply_to.startswith(f"{REPLY_TO}.")
        assert answerer.queue_declare(request.reply_to).method.consumer_count == 1
        answer = pika.BasicProperties(correlation_id=request.correlation_id)
        answerer.basic_publish("", request.reply_to, b"answer", answer)
        until("the answer", lambda: asker.connection.process_data_events(0) or replies, seconds=10)
        method, properties, body = replies[0]
        assert (body, properties.correlation_id, method.routing_key) == (b"answer", "7", request.reply_to)
        with pytest.raises(pika.exceptions.UnroutableError):
            answerer.basic_publish("", request.reply_to, b"no queue", mandatory=True)


def test_a_request_without_a_reply_consumer_is_406(amqp, name):
    with channel(amqp) as ch:
        request = pika.BasicProperties(reply_to=REPLY_TO)
        closes_channel(ch, 406, lambda: ch.basic_publish("", name, b"ask", request), names="fast reply")


def test_a_message_goes_to_each_key_of_cc_and_bcc_and_hides_bcc(amqp, name):
    with channel(amqp) as ch:
        queues = [name, f"{name}-cc", f"{name}-bcc"]
        for queue in queues:
            ch.queue_declare(queue)
        headers = {"CC": [queues[1], name], "BCC": [queues[2], queues[1]], "h": 1}
        ch.basic_publish("", name, b"x", pika.BasicProperties(headers=headers))
        for queue in queues:
            _, properties, body = ch.basic_get(queue, auto_ack=True)
            assert body == b"x" and properties.headers == {"CC": headers["CC"], "h": 1}
            assert ch.queue_delete(queue).method.message_count == 0
        no_list = pika.BasicProperties(headers={"CC": "no list"})
        closes_channel(ch, 406, lambda: ch.basic_publish("", name, b"x", no_list))


def test_any_key_of_cc_matches_on_each_exchange_on_the_way(ch, name):
    ch.exchange_declare(name, "direct", auto_delete=True)
    ch.exchange_bind("amq.topic", name, routing_key=f"{name}-1")
    ch.queue_bind(name, "amq.topic", routing_key=f"{name}-2")
    headers = {"CC": [f"{name}-1"], "BCC": [f"{name}-2"]}
    ch.basic_publish(name, "", b"x", pika.BasicProperties(headers=headers))
    assert ch.basic_get(name, auto_ack=True)[2] == b"x"


def test_what_a_consumer_can_take_is_not_got(ch, name):
    got = []
    ch.basic_consume(name, lambda _ch, m, _p, body: got.append(body), auto_ack=True)
    for i in range(30):
        ch.basic_publish("", name, str(i).encode())
        assert ch.basic_get(name)[0] is None
    until("all", lambda: ch.connection.process_data_events(0) or len(got) == 30)


@pytest.mark.parametrize("mechanism, response", [("FOO", b""), ("PLAIN", b"guest"), ("PLAIN", b"\0guest\0no")])
def test_a_login_that_is_not_understood_ends_in_silence(amqp, mechanism, response):
    host, port = amqp.split(":")
    with connection(amqp), socket.create_connection((host, int(port)), timeout=20) as sock:
        sock.sendall(pika.frame.ProtocolHeader().marshal())
        assert sock.recv(4096)
        start_ok = pika.spec.Connection.StartOk(client_properties={}, mechanism=mechanism, response=response)
        sock.sendall(pika.frame.Method(0, start_ok).marshal())
        try:
            assert sock.recv(4096) == b""
        except ConnectionResetError:
            pass
