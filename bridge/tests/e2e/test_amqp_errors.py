"""How AMQP refuses: codes, what they close, and what stays usable."""
import socket
import struct
import time

import pika
import pytest
from pika.exceptions import (
    AMQPConnectionError, ChannelClosedByBroker, ConnectionClosedByBroker, ProbableAccessDeniedError,
    ProbableAuthenticationError)

from clients.pika_client import channel, closes_channel, closes_connection, connection, get, parameters, publish, ready
from harness import until


@pytest.mark.parametrize("user, password", [("guest", "wrong"), ("nobody", "guest"), ("", "")])
def test_wrong_credentials_are_403(amqp, user, password):
    with pytest.raises((ProbableAuthenticationError, ConnectionClosedByBroker)) as caught:
        pika.BlockingConnection(parameters(amqp, user=user, password=password))
    assert "403" in str(caught.value) or "ACCESS_REFUSED" in str(caught.value)


def test_an_unknown_virtual_host_is_530(amqp):
    with pytest.raises((ProbableAccessDeniedError, ConnectionClosedByBroker)) as caught:
        pika.BlockingConnection(parameters(amqp, vhost="/missing"))
    assert "530" in str(caught.value)


def test_an_unknown_protocol_is_answered_with_ours(amqp):
    host, port = amqp.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as sock:
        sock.sendall(b"AMQP\x01\x01\x00\x0a")
        assert sock.recv(8) == b"AMQP\x00\x00\x09\x01"
        assert hung_up(sock)


def test_start_names_the_product_and_the_extensions_it_has(amqp):
    with connection(amqp) as conn:
        properties = conn._impl.server_properties
        assert properties["product"]
        needed = {"publisher_confirms", "basic.nack", "consumer_cancel_notify", "authentication_failure_close",
                  "direct_reply_to"}
        assert needed <= {k for k, v in properties["capabilities"].items() if v}


@pytest.mark.parametrize("queue", ["consume", "get", "delete-and-purge"])
def test_a_missing_queue_is_404(amqp, name, queue):
    acts = {"consume": lambda ch: ch.basic_consume(name, print), "get": lambda ch: ch.basic_get(name),
            "delete-and-purge": lambda ch: (ch.queue_delete(name), ch.queue_purge(name))}
    with channel(amqp) as ch:
        closes_channel(ch, 404, lambda: acts[queue](ch), names=name)


def test_a_channel_error_leaves_the_connection_and_its_other_channels(amqp, name):
    with connection(amqp) as conn:
        good, bad = conn.channel(), conn.channel()
        good.queue_declare(name)
        closes_channel(bad, 404, lambda: bad.queue_declare(name + "-missing", passive=True))
        publish(good, name, b"still here")
        assert get(good, name)[2] == b"still here"
        conn.channel(bad.channel_number).queue_declare(name, passive=True)


@pytest.mark.parametrize("settle", ["ack", "nack", "reject"])
def test_an_unknown_delivery_tag_is_406(amqp, name, settle):
    with channel(amqp) as ch:
        ch.queue_declare(name)
        closes_channel(ch, 406, lambda: getattr(ch, "basic_" + settle)(99), names="unknown delivery tag 99")


def test_settling_twice_is_406_and_settles_nothing_else(amqp, name):
    with channel(amqp) as ch:
        ch.queue_declare(name)
        publish(ch, name, b"a", b"b")
        tag = get(ch, name)[0].delivery_tag
        get(ch, name)
        ch.basic_ack(tag)
        closes_channel(ch, 406, lambda: ch.basic_ack(tag))
    with channel(amqp) as ch:
        until("the other is back", lambda: ready(ch, name) == 1)


def test_a_consumer_tag_used_twice_is_530(amqp, name):
    with connection(amqp) as conn:
        ch = conn.channel()
        ch.queue_declare(name)
        ch.basic_consume(name, print, consumer_tag="mine")
        method = pika.spec.Basic.Consume(queue=name, consumer_tag="mine")
        closes_connection(conn, 530, lambda: ch._impl._send_method(method))


def test_cancel_of_an_unknown_consumer_is_answered(amqp):
    with connection(amqp) as conn:
        answers = []
        ch = conn.channel()
        method = pika.spec.Basic.Cancel(consumer_tag="unknown")
        ch._impl._rpc(method, answers.append, [pika.spec.Basic.CancelOk])

        def answered():
            conn.process_data_events(0)
            return answers
        until("cancel-ok", answered)


def test_an_unknown_exchange_type_is_refused(amqp, name):
    with connection(amqp) as conn:
        ch = conn.channel()
        with pytest.raises((ConnectionClosedByBroker, ChannelClosedByBroker)) as caught:
            ch.exchange_declare(name, "x-nonsense")
        assert caught.value.reply_code in (503, 406)
        assert "x-nonsense" in caught.value.reply_text


def test_publish_with_immediate_is_540(amqp):
    """Neither broker has it; pretending to is what clients cannot live with."""
    with connection(amqp) as conn:
        impl = conn.channel()._impl
        publish_method = pika.spec.Basic.Publish(exchange="", routing_key="x", immediate=True)
        closes_connection(conn, 540, lambda: impl._send_method(publish_method, (pika.BasicProperties(), b"x")))


def test_a_frame_on_a_channel_that_is_not_open_is_504(amqp):
    with connection(amqp) as conn:
        frame = pika.frame.Method(77, pika.spec.Basic.Qos()).marshal()
        closes_connection(conn, 504, lambda: conn._impl._output_marshaled_frames([frame]))


def test_a_frame_without_its_end_is_501(amqp):
    with connection(amqp) as conn:
        frame = struct.pack(">BHI", 1, 0, 4) + b"\0\0\0\0" + b"\x00"
        closes_connection(conn, 501, lambda: conn._impl._output_marshaled_frames([frame]))


def test_heartbeats_keep_an_idle_connection_and_their_absence_ends_it(amqp):
    with connection(amqp, heartbeat=1) as conn:
        conn.process_data_events(3.5)
        assert conn.is_open
    # A client that falls silent is gone within two to three intervals.
    host, port = amqp.split(":")
    with raw_connection(host, int(port), heartbeat=1) as sock:
        sock.settimeout(10)
        until("the broker hangs up", lambda: hung_up(sock), seconds=10)


def test_a_client_that_reads_slowly_stays_while_it_sends_heartbeats(amqp, name):
    """Its heartbeats count though much is on its way to it, and none is read before that has left."""
    size = 15 << 20
    with channel(amqp) as ch:
        ch.queue_declare(name, durable=True)
        publish(ch, name, bytes(size))
    consume = pika.spec.Basic.Consume(queue=name, no_ack=True)
    host, port = amqp.split(":")
    with raw_connection(host, int(port), heartbeat=1) as sock:
        sock.sendall(b"".join(pika.frame.Method(1, m).marshal() for m in (pika.spec.Channel.Open(), consume)))
        got = wait_reading_slowly(sock, seconds=5)
        while got < size:
            part = sock.recv(1 << 20)
            assert part, f"closed after {got} octets"
            got += len(part)
            sock.sendall(pika.frame.Heartbeat().marshal())


def wait_reading_slowly(sock, seconds) -> int:
    """How much came to a client that takes little, and sends heartbeats."""
    got, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        got += len(sock.recv(65536))
        sock.sendall(pika.frame.Heartbeat().marshal())
        time.sleep(0.5)
    return got


def hung_up(sock) -> bool:
    try:
        return sock.recv(4096) == b""
    except ConnectionError:
        return True


def raw_connection(host, port, heartbeat) -> socket.socket:
    """A connection opened by hand, that sends nothing more."""
    def method(m):
        return pika.frame.Method(0, m).marshal()
    sock = socket.create_connection((host, port), timeout=10)
    sock.sendall(pika.frame.ProtocolHeader().marshal())
    sock.recv(65536)
    sock.sendall(method(pika.spec.Connection.StartOk({}, "PLAIN", "\0guest\0guest", "en_US")))
    sock.recv(65536)
    sock.sendall(method(pika.spec.Connection.TuneOk(100, 131072, heartbeat))
                 + method(pika.spec.Connection.Open("/")))
    sock.recv(65536)
    return sock


# Only ours: RabbitMQ has all of these. What is not implemented is refused, never pretended.

UNIMPLEMENTED = {"x-message-ttl": 1000, "x-max-length": 10, "x-max-length-bytes": 10_000,
                 "x-overflow": "reject-publish", "x-dead-letter-exchange": "dlx", "x-max-priority": 5,
                 "x-single-active-consumer": True, "x-nonsense": 1}


@pytest.mark.parametrize("argument", UNIMPLEMENTED)
def test_an_argument_that_is_not_implemented_is_406_and_named(shared_broker, name, argument):
    with channel(shared_broker.amqp) as ch:
        act = lambda: ch.queue_declare(name, durable=True, arguments={argument: UNIMPLEMENTED[argument]})
        closes_channel(ch, 406, act, names=argument)


def test_a_consumers_priority_is_406_and_named(shared_broker, name):
    with channel(shared_broker.amqp) as ch:
        ch.queue_declare(name)
        closes_channel(ch, 406, lambda: ch.basic_consume(name, print, arguments={"x-priority": 5}), names="x-priority")


@pytest.mark.parametrize("argument, value", [("x-ha-policy", "all"), ("x-queue-master-locator", "client-local"),
                                             ("x-queue-leader-locator", "client-local"), ("x-queue-mode", "lazy"),
                                             ("x-queue-version", 2)])
def test_an_argument_that_asks_nothing_of_one_node_need_not_be_repeated(shared_broker, name, argument, value):
    with channel(shared_broker.amqp) as ch:
        ch.queue_declare(name, durable=True, arguments={argument: value})
        ch.queue_declare(name, durable=True)


def test_a_transaction_is_540(shared_broker):
    with connection(shared_broker.amqp) as conn:
        closes_connection(conn, 540, conn.channel().tx_select)


def test_a_channel_in_another_mode_is_closed_by_what_needs_a_transaction(amqp):
    with connection(amqp) as conn:
        ch = conn.channel()
        ch.confirm_delivery()
        closes_channel(ch, 406, ch.tx_select, names="cannot switch from confirm to tx mode")
        for end in ("tx_commit", "tx_rollback"):
            ch = conn.channel()
            closes_channel(ch, 406, getattr(ch, end), names="channel is not transactional")


def test_what_is_not_implemented_is_not_advertised(shared_broker):
    with connection(shared_broker.amqp) as conn:
        capabilities = conn._impl.server_properties["capabilities"]
        assert not capabilities.get("consumer_priorities")


def test_other_listeners_refuse_amqp_without_hanging(shared_broker):
    with pytest.raises((AMQPConnectionError, OSError)):
        pika.BlockingConnection(parameters(shared_broker.native))
