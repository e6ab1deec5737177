"""AMQP methods that are well formed and mean too much: every argument of every method at its ends."""
import datetime
import os
import random
import socket

import pytest
from pamqp import base, commands, frame, header
from pamqp.body import ContentBody
from pamqp.heartbeat import Heartbeat

from clients.pika_client import channel, publish

SCALE = int(os.environ.get("E2E_SCALE", 1))
QUEUES = ("one", "two", "three")
EXCHANGES = ("", "amq.topic", "amq.fanout", "amq.headers", "amq.direct", "mine")
CHANNELS = (0, 1, 1, 1, 2, 2, 3, 2_047, 2_048, 65_535)
NUMBERS = {
    "octet": (0, 1, 2, 9, 255),
    "short": (0, 1, 2, 1_000, 2**16 - 1),
    "long": (0, 1, 4_096, 2**31, 2**32 - 1),
    "longlong": (0, 1, 2, 2**31, 2**63 - 1),
    "bit": (False, True),
}
TEXTS = {
    "queue": (*QUEUES, *QUEUES, "", "amq.gen-x", "amq.rabbitmq.reply-to", "q" * 127, "\0"),
    "exchange": EXCHANGES, "source": EXCHANGES, "destination": EXCHANGES,
    "exchange_type": ("direct", "fanout", "topic", "headers", "x-none", ""),
    "routing_key": (*QUEUES, "", "a.b", "#", "*.#.*", "." * 127),
    "consumer_tag": ("", "c", "d", "t" * 127),
    None: ("", "a", "w" * 127, "\r\n", "é" * 60),
}
VALUES = (
    None, True, 0, -1, 2**31, 2**62, 0.5, bytearray(b"\xff" * 300), "", "text" * 100, [], [1, "two", None],
    {}, {"deep": {"deeper": [{"x": 1}]}}, datetime.datetime(2013, 1, 1, tzinfo=datetime.timezone.utc),
)
ARGUMENTS = ("x-expires", "x-queue-type", "x-match", "alternate-exchange", "x-priority", "x-unknown", "CC", "BCC")
# What a client sends; the rest is the server's.
METHODS = [
    commands.Channel.Open, commands.Channel.Close, commands.Channel.CloseOk, commands.Channel.Flow,
    commands.Channel.FlowOk, commands.Exchange.Declare, commands.Exchange.Delete, commands.Exchange.Bind,
    commands.Exchange.Unbind, commands.Queue.Declare, commands.Queue.Bind, commands.Queue.Unbind,
    commands.Queue.Purge, commands.Queue.Delete, commands.Basic.Qos, commands.Basic.Consume, commands.Basic.Cancel,
    commands.Basic.CancelOk, commands.Basic.Publish, commands.Basic.Publish, commands.Basic.Publish, commands.Basic.Get,
    commands.Basic.Ack, commands.Basic.Reject, commands.Basic.Nack, commands.Basic.Recover,
    commands.Basic.RecoverAsync, commands.Tx.Select, commands.Tx.Commit, commands.Tx.Rollback,
    commands.Confirm.Select, commands.Connection.Blocked, commands.Connection.UpdateSecret,
]


class Peer:
    """A connection that is open, whose every octet is the test's own."""

    def __init__(self, address: str):
        host, port = address.rsplit(":", 1)
        self.socket, self.buffer = socket.create_connection((host, int(port)), timeout=10), b""
        self.socket.sendall(header.ProtocolHeader().marshal())
        self.expect(commands.Connection.Start)
        self.send(0, commands.Connection.StartOk({}, "PLAIN", "\0guest\0guest", "en_US"))
        self.expect(commands.Connection.Tune)
        self.send(0, commands.Connection.TuneOk(2_047, 131_072, 0))
        self.send(0, commands.Connection.Open("/"))
        self.expect(commands.Connection.OpenOk)
        for number in (1, 2, 3):
            self.send(number, commands.Channel.Open())
            self.expect(commands.Channel.OpenOk)

    def send(self, number: int, *parts):
        self.socket.sendall(b"".join(frame.marshal(part, number) for part in parts))

    def expect(self, kind):
        answer = self.next()
        assert isinstance(answer, kind), answer

    def next(self):
        """The next frame, which must be well formed; `None` at the end."""
        while True:
            used, _, value = self.parsed()
            if value is not None:
                self.buffer = self.buffer[used:]
                return value
            more = self.socket.recv(65_536)
            if not more:
                return None
            self.buffer += more

    def parsed(self):
        size = int.from_bytes(self.buffer[3:7], "big") + 8
        if len(self.buffer) < 8 or len(self.buffer) < size:
            return 0, None, None
        return frame.unmarshal(self.buffer)

    def finish(self) -> bool:
        """Whether the server closes in good order once it is asked to, or has done so before."""
        try:
            self.send(0, commands.Connection.Close(200, "", 0, 0))
            while (answer := self.next()) is not None:
                if isinstance(answer, commands.Connection.Close):
                    self.send(0, commands.Connection.CloseOk())
                if isinstance(answer, (commands.Connection.CloseOk, commands.Connection.Close)):
                    return True
        except ConnectionError:
            pass
        return False


class Extremes:
    """Values for the arguments of a method."""

    def __init__(self, rng: random.Random):
        self.rng = rng

    def method(self, cls: type[base.Frame]) -> base.Frame:
        values = {name: self.value(cls, name) for name in cls.attributes()}
        try:
            return cls(**{name: value for name, value in values.items() if value is not None})
        except ValueError:
            # The library forbids what the protocol can say: some of it is said by other methods.
            return cls()

    def value(self, cls, name: str):
        kind = cls.amqp_type(name)
        if kind == "table":
            return {key: self.rng.choice(VALUES) for key in self.rng.sample(ARGUMENTS, self.rng.choice((0, 0, 1, 2)))}
        if kind in ("shortstr", "longstr"):
            return self.rng.choice(TEXTS.get(name, TEXTS[None]))
        return self.rng.choice(NUMBERS[kind])

    def content(self):
        """A header and a body, which mostly are as long as they say."""
        size = self.rng.choice((0, 1, 100, 5_000))
        properties = commands.Basic.Properties(
            content_type=self.rng.choice((None, "", "text/plain")),
            headers={key: self.rng.choice(VALUES) for key in self.rng.sample(ARGUMENTS, 2)},
            delivery_mode=self.rng.choice((None, 1, 2)),
            priority=self.rng.choice((None, 0, 9, 255)),
            expiration=self.rng.choice((None, "0", "100", "-1", "x", "9" * 30)),
            reply_to=self.rng.choice((None, "amq.rabbitmq.reply-to", "one")),
            user_id=self.rng.choice((None, None, "guest", "root")),
        )
        parts = [header.ContentHeader(body_size=size, properties=properties)]
        if size:
            parts.append(ContentBody(b"x" * size))
        if self.rng.random() < 0.05:
            parts.pop(self.rng.randrange(len(parts)))
        return parts


def frames(rng: random.Random, extremes: Extremes):
    """What is sent together: one method with what belongs to it."""
    if rng.random() < 0.02:
        return [Heartbeat()]
    method = extremes.method(rng.choice(METHODS))
    return [method, *(extremes.content() if isinstance(method, commands.Basic.Publish) else ())]


@pytest.mark.parametrize("seed", range(2))
def test_every_argument_at_its_ends_harms_nobody(durable, name, seed):
    """What comes of it is not said, but that all is answered in well-formed frames, that each connection ends
    when it is asked to, and that a restart finds all in order."""
    with channel(durable.amqp) as ch:
        for queue in (*QUEUES, name):
            ch.queue_declare(queue, durable=True)
        ch.exchange_declare("mine", "topic", durable=True)
        publish(ch, name, b"kept")
    rng = random.Random(seed)
    extremes, in_order = Extremes(rng), 0
    connections = 80 * SCALE
    for _ in range(connections):
        peer = Peer(durable.amqp)
        try:
            for _ in range(rng.choice((1, 5, 30))):
                # Mostly where a channel is open: else the connection ends at once.
                number = rng.choice(CHANNELS) if rng.random() < 0.03 else rng.choice((1, 2, 3))
                peer.send(number, *frames(rng, extremes))
        except ConnectionError:
            pass
        in_order += peer.finish()
        peer.socket.close()
        assert durable.alive(), durable.tail()
    assert in_order > connections * 0.9, "most are told"
    durable.stop()
    durable.start()
    with channel(durable.amqp) as ch:
        assert ch.basic_get(name, auto_ack=True)[2] == b"kept"
