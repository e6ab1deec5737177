"""gRPC in bulk: grpcio with stubs made from our .proto when the tests start."""
import functools
import importlib
import queue
import sys
import tempfile
from pathlib import Path

import grpc
from grpc_tools import protoc

from clients.message import Msg

NAME = "grpc"
PROTO = Path(__file__).resolve().parents[4] / "adapters" / "grpc" / "proto"
BATCH, CREDIT = 500, 4_000


@functools.cache
def stubs():
    """(messages, service) modules of standpipe/v1/standpipe.proto."""
    out = tempfile.mkdtemp(prefix="standpipe-stubs-")
    file = "standpipe/v1/standpipe.proto"
    done = protoc.main(["protoc", f"-I{PROTO}", f"--python_out={out}", f"--grpc_python_out={out}", file])
    assert done == 0, f"protoc failed on {PROTO / file}"
    sys.path.insert(0, out)
    return (importlib.import_module("standpipe.v1.standpipe_pb2"),
            importlib.import_module("standpipe.v1.standpipe_pb2_grpc"))


def connect(address: str):
    """(channel, service); the channel closes with its `with`."""
    channel = grpc.insecure_channel(address, options=[("grpc.max_receive_message_length", 32 << 20)])
    return channel, stubs()[1].StandpipeStub(channel)


def publish(broker, topic: str, messages: list[Msg]):
    results = publish_to(broker, f"/{topic}", messages)
    for result in results:
        assert result.HasField("ok"), result.error
    assert [r.sequence for r in results] == list(range(len(messages))), "one result a message, in order"


def publish_to(broker, destination: str, messages: list[Msg]) -> list:
    pb, _ = stubs()

    def requests():
        yield pb.PublishRequest(destination=destination)
        for start in range(0, len(messages), BATCH):
            batch = enumerate(messages[start:start + BATCH], start)
            yield pb.PublishRequest(messages=[pb.Publication(sequence=i, message=to_grpc(m)) for i, m in batch])
    channel, service = connect(broker.grpc)
    with channel:
        return list(service.Publish(requests()))


def read_all(broker, topic: str, count: int) -> list[Msg]:
    """Positional, from the earliest message on, remembering nothing."""
    pb, _ = stubs()
    with Subscription(broker, topic, mode=pb.MODE_POSITIONAL, credit=min(count, CREDIT)) as sub:
        got = []
        while len(got) < count:
            got.append(from_grpc(sub.message().message))
            if len(got) % (CREDIT // 2) == 0:
                sub.send(credit=pb.Credit(messages=CREDIT // 2))
        return got


class Subscription:
    """One Subscribe stream: requests go through `send`, events come from `next`."""

    def __init__(self, broker, topic: str, mode: int, group: str = "", credit: int = 0, seconds=120, **more):
        self.pb = stubs()[0]
        self._requests = queue.SimpleQueue()
        self.send(open=self.pb.SubscribeOpen(
            topic=topic, mode=mode, group=group, credit=self.pb.Credit(messages=credit), **more))
        self._channel, service = connect(broker.grpc)
        self._events = service.Subscribe(iter(self._requests.get, None), timeout=seconds)
        self.opened = self.next("opened")

    def send(self, **request):
        self._requests.put(self.pb.SubscribeRequest(**request))

    def next(self, kind: str):
        """The next event, which must be of this kind."""
        event = next(self._events)
        assert event.WhichOneof("event") == kind, event
        return getattr(event, kind)

    def message(self):
        return self.next("message")

    def settle(self, sequence: int = 1, **receipts):
        """`settle(ack=[..], release=[..])`, and its answer; messages that come before it are kept."""
        actions = {"ack": self.pb.Ack, "release": self.pb.Release, "reject": self.pb.Reject}
        settlements = [self.pb.Settlement(receipt=r, **{verb: actions[verb]()})
                       for verb, listed in receipts.items() for r in listed]
        self.send(settle=self.pb.Settle(sequence=sequence, settlements=settlements))
        return self.next("settled")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._requests.put(None)
        self._events.cancel()
        self._channel.close()


def to_grpc(message: Msg):
    pb, _ = stubs()
    props = pb.Props(timestamp_ms=message.timestamp) if message.timestamp is not None else None
    return pb.Message(key=message.key, payload=message.payload, props=props, headers=[
        pb.Header(name=name.encode(), value=value_of(value)) for name, value in message.headers])


def from_grpc(message) -> Msg:
    def field(name):
        return getattr(message, name) if message.HasField(name) else None
    stamp = message.props.timestamp_ms if message.props.HasField("timestamp_ms") else None
    headers = tuple((h.name.decode(), plain(h.value)) for h in message.headers)
    return Msg(field("payload"), field("key"), headers, stamp)


def value_of(value):
    pb, _ = stubs()
    match value:
        case None: return pb.Value(null=True)
        case bool(): return pb.Value(boolean=value)
        case int(): return pb.Value(i64=value)
        case float(): return pb.Value(f64=value)
        case str(): return pb.Value(text=value)
        case bytes(): return pb.Value(bytes=value)
    raise TypeError(value)


def plain(value):
    kind = value.WhichOneof("kind")
    return None if kind in (None, "null") else getattr(value, kind)
