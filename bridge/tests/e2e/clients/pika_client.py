"""pika, with what every AMQP test needs."""
import contextlib

import pika
from pika.exceptions import AMQPError, ChannelClosedByBroker, ConnectionClosedByBroker

from harness import until

PERSISTENT = pika.BasicProperties(delivery_mode=2)


def parameters(address: str, vhost: str = "/", user: str = "guest", password: str = "guest", **more):
    host, port = address.rsplit(":", 1)
    return pika.ConnectionParameters(
        host, int(port), vhost, pika.PlainCredentials(user, password), socket_timeout=10,
        blocked_connection_timeout=60, **more)


@contextlib.contextmanager
def connection(address: str, **more):
    conn = pika.BlockingConnection(parameters(address, **more))
    try:
        yield conn
    finally:
        if conn.is_open:
            conn.close()


@contextlib.contextmanager
def channel(address: str, confirms: bool = True):
    with connection(address) as conn:
        ch = conn.channel()
        if confirms:
            ch.confirm_delivery()
        yield ch


def publish(ch, queue: str, *bodies: bytes, **properties):
    """Through the default exchange, confirmed one by one, and refused when not routed."""
    for body in bodies:
        ch.basic_publish("", queue, body, pika.BasicProperties(**properties), mandatory=True)


def get(ch, queue: str, auto_ack: bool = False):
    """(method, properties, body) of a message that is or soon will be ready."""
    def ask():
        got = ch.basic_get(queue, auto_ack=auto_ack)
        return got if got[0] else None
    return until(f"a message in {queue}", ask)


def take(ch, queue: str, count: int, ack: bool = True, seconds: float = 20) -> list:
    """`count` deliveries of one consumer, as (method, properties, body)."""
    got = []
    for method, properties, body in ch.consume(queue, inactivity_timeout=seconds):
        assert method, f"{len(got)} of {count} deliveries after {seconds} s of silence"
        got.append((method, properties, body))
        if ack:
            ch.basic_ack(method.delivery_tag)
        if len(got) == count:
            break
    return got


def ready(ch, queue: str) -> int:
    return ch.queue_declare(queue, passive=True).method.message_count


def closes_channel(ch, code: int, act, names: str = ""):
    """Asserts that `act` makes the broker close the channel with `code`, its text naming `names`."""
    error = _closing_reason(ch, ch.connection, act)
    assert isinstance(error, ChannelClosedByBroker), error
    assert error.reply_code == code, error
    assert names in error.reply_text, error


def closes_connection(conn, code: int, act):
    """Asserts that `act` makes the broker close the connection with `code`."""
    error = _closing_reason(conn, conn, act)
    assert isinstance(error, ConnectionClosedByBroker), error
    assert error.reply_code == code, error


def _closing_reason(closing, conn, act) -> Exception:
    try:
        act()

        def closed():
            conn.process_data_events(0)
            return closing.is_closed
        until("the broker refuses it", closed, seconds=5)
    except AMQPError as error:
        return error
    return closing._closing_reason  # pika tells it only to the next call
