"""Requests that are well formed and mean too much: every field of the gRPC service at its ends."""
import os
import random

import grpc
from google.protobuf.descriptor import FieldDescriptor as Field

from clients import grpc_client
from clients.message import Msg
from clients.pika_client import channel

SCALE = int(os.environ.get("E2E_SCALE", 1))
TOPICS = ("one", "two")
LONG = 70_000
NUMBERS = {
    Field.TYPE_UINT32: (0, 1, 1_000, 2**31, 2**32 - 1),
    Field.TYPE_SINT32: (-(2**31), -1, 0, 1, 2**31 - 1),
    Field.TYPE_UINT64: (0, 1, 60_000, 2**63 - 1, 2**63, 2**64 - 2, 2**64 - 1),
    Field.TYPE_SINT64: (-(2**63), -1, 0, 1, 2**53, 2**63 - 1),
    Field.TYPE_FLOAT: (0.0, float("inf"), float("nan")),
    Field.TYPE_DOUBLE: (0.0, -1e308, float("nan")),
    Field.TYPE_BOOL: (False, True),
}
TEXTS = {
    "topic": (*TOPICS, "", "nobody's", "x" * 256),
    "group": ("", "a", "g" * LONG, "\0"),
    "destination": ("/one", "/two", "", "?exchange=%00", "/" + "t" * LONG,
                    *(f"?exchange=amq.topic&key={'k' * n}" for n in (1, 256, 65_000, LONG))),
    None: ("", "a", "w" * 256, "w" * LONG, "\0\r\n", "é" * 200),
}


def test_a_routing_key_that_no_envelope_carries_is_refused_and_the_store_opens_again(durable, name):
    bind_all(durable, name)
    pb, _ = grpc_client.stubs()
    long = f"?exchange=amq.topic&key={'k' * LONG}"
    [refused] = grpc_client.publish_to(durable, long, [Msg(b"long")])
    assert refused.error.code == pb.ERROR_CODE_TOO_LARGE, refused
    grpc_client.publish(durable, name, [Msg(b"kept")])
    durable.stop()
    durable.start()
    assert [m.payload for m in grpc_client.read_all(durable, name, 1)] == [b"kept"]


def test_every_field_at_its_ends_harms_nobody(durable):
    """What comes of each request is not said, but that it ends, and that a restart finds all in order."""
    for topic in TOPICS:
        bind_all(durable, topic)
    requests = Requests(random.Random(1))
    opened, service = grpc_client.connect(durable.grpc)
    with opened:
        for _ in range(150 * SCALE):
            requests.one(service)
            assert durable.alive(), durable.tail()
    grpc_client.publish(durable, "last", [Msg(b"kept")])
    durable.stop()
    durable.start()
    assert [m.payload for m in grpc_client.read_all(durable, "last", 1)] == [b"kept"]


def bind_all(broker, queue: str):
    with channel(broker.amqp) as ch:
        ch.queue_declare(queue, durable=True)
        ch.queue_bind(queue, "amq.topic", "#")


class Requests:
    """Random requests of every kind."""

    def __init__(self, rng: random.Random):
        self.rng, self.pb = rng, grpc_client.stubs()[0]

    def one(self, service):
        kind = self.rng.choice((self.publish, self.subscribe, self.subscribe, self.ask))
        try:
            kind(service)
        except grpc.RpcError as error:
            assert error.code() not in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE), error

    def publish(self, service):
        requests = [self.filled(self.pb.PublishRequest()) for _ in range(self.rng.choice((1, 3)))]
        sent = sum(len(request.messages) for request in requests)
        assert len(list(service.Publish(iter(requests), timeout=10))) == sent

    def subscribe(self, service):
        """Opens and asks for much at once, then sees what comes until it ends or nothing does."""
        requests = [self.filled(self.pb.SubscribeRequest()) for _ in range(8)]
        requests = [r for r in requests if r.WhichOneof("request") != "open"]
        opened = self.pb.SubscribeOpen(topic=self.rng.choice(TOPICS), mode=self.rng.choice((1, 2)), drain=True)
        getattr(opened, "from").CopyFrom(self.filled(self.pb.Position()))
        opened.credit.CopyFrom(self.filled(self.pb.Credit()))
        opened.group = self.rng.choice(TEXTS["group"])
        requests.insert(0, self.pb.SubscribeRequest(open=opened))
        events = service.Subscribe(iter(requests), timeout=2)
        for event in events:
            assert event.WhichOneof("event")

    def ask(self, service):
        method = self.rng.choice(("CreateTopic", "DescribeTopic", "ListTopics", "PurgeTopic"))
        getattr(service, method)(self.filled(getattr(self.pb, f"{method}Request")()), timeout=10)

    def filled(self, message, depth: int = 0):
        """Most of its fields set, one of each `oneof`."""
        fields, taken = list(message.DESCRIPTOR.fields), set()
        self.rng.shuffle(fields)
        for field in fields:
            choice = field.containing_oneof
            if choice in taken or self.rng.random() < 0.2:
                continue
            if choice is not None:
                taken.add(choice)
            self.fill(message, field, depth)
        return message

    def fill(self, message, field, depth: int):
        many = field.is_repeated
        if field.type == Field.TYPE_MESSAGE:
            for _ in range(self.rng.choice((0, 1, 3)) if many else 1):
                if depth < 6:
                    inner = getattr(message, field.name)
                    self.filled(inner.add() if many else inner, depth + 1)
                    if not many:
                        inner.SetInParent()
        elif many:
            getattr(message, field.name).append(self.value(field))
        else:
            setattr(message, field.name, self.value(field))

    def value(self, field):
        match field.type:
            case Field.TYPE_STRING: return self.rng.choice(TEXTS.get(field.name, TEXTS[None]))
            case Field.TYPE_BYTES: return self.rng.choice((b"", b"a", b"\xff" * 300, b"k" * LONG, self.rng.randbytes(24)))
            case Field.TYPE_ENUM: return self.rng.choice((0, 1, 2, 99))
        return self.rng.choice(NUMBERS[field.type])
