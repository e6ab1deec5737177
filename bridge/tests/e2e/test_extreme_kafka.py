"""Kafka requests that are well formed and mean too much: every field of every version at its ends."""
import os
import random
import socket
import struct
import uuid

import pytest
from kafka.protocol.api_header import RequestHeader, ResponseClassRegistry
from kafka.protocol.api_message import ApiMessage
from kafka.protocol.metadata import ApiVersionsRequest, ApiVersionsResponse
from kafka.record.default_records import DefaultRecordBatchBuilder
from kafka.record.util import calc_crc32c

from clients import kafka_client
from clients.confluent_client import create_topic
from clients.message import Msg

SCALE = int(os.environ.get("E2E_SCALE", 1))
TOPICS = ("one", "two")
LONG = "g" * 30_000
NUMBERS = {
    "int8": (-128, -1, 0, 1, 127),
    "int16": (-(2**15), -1, 0, 1, 2, 2**15 - 1),
    "uint16": (0, 1, 2**16 - 1),
    "int32": (-(2**31), -2, -1, 0, 1, 2, 1_000, 2**31 - 1),
    "int64": (-(2**63), -(2**63) + 1, -2, -1, 0, 1, 1_000, 2**53, 2**63 - 2, 2**63 - 1),
    "float64": (0.0, -1e308, float("inf"), float("nan")),
    "bool": (False, True),
    "bitfield": (None,),
}
NAMES = ("", "a", "b", LONG, "\0", "é" * 100)
TEXTS = {
    "topic": (*TOPICS, *TOPICS, "", "..", "x" * 250, "no such", *NAMES),
    "protocol_type": ("consumer", ""),
}
# How long a request may wait, so that a run does not: the broker waits no longer than it is told.
WAITS = ("max_wait_ms", "timeout_ms", "rebalance_timeout_ms", "session_timeout_ms")
PATIENCE = 10


def requests() -> dict[int, type]:
    """The newest schema of every request that the client's library knows, by API key."""
    found, left = {}, [ApiMessage]
    while left:
        cls = left.pop()
        left.extend(cls.__subclasses__())
        if getattr(cls, "_json", None) and cls.type == "request":
            found[cls.API_KEY] = cls
    return found


class Peer:
    """One connection that asks and reads the answer, which must be as its schema says."""

    def __init__(self, address: str):
        host, port = address.rsplit(":", 1)
        self.socket, self.correlation = socket.create_connection((host, int(port)), timeout=PATIENCE), 0

    def ask(self, cls, version: int, values: dict):
        """The answer; `None` where the broker closed the connection instead."""
        flexible = cls.flexible_version_q(version)
        self.correlation += 1
        header = RequestHeader(request_api_key=cls.API_KEY, request_api_version=version,
                               correlation_id=self.correlation, client_id="extreme")
        body = cls._struct.encode(values, version=version, compact=flexible, tagged=flexible)
        frame = header.encode(flexible=flexible) + body
        self.socket.sendall(struct.pack(">i", len(frame)) + frame)
        if values.get("acks") == 0 and cls.name == "ProduceRequest":
            return None
        answer = self.read()
        if answer is None:
            return None
        response = ResponseClassRegistry.get_response_class(header)
        assert struct.unpack(">i", answer[:4])[0] == self.correlation
        return response.decode(answer, version=version, header=True)

    def read(self) -> bytes | None:
        size = self.exactly(4)
        return size and self.exactly(struct.unpack(">i", size)[0])

    def exactly(self, octets: int) -> bytes | None:
        got = b""
        while len(got) < octets:
            more = self.socket.recv(octets - len(got))
            if not more:
                return None
            got += more
        return got


class Extremes:
    """Values for the fields of a schema."""

    def __init__(self, rng: random.Random):
        self.rng = rng

    def struct(self, fields, version: int) -> dict:
        known = [field for field in fields if field.for_version_q(version)]
        return {field.name: self.value(field, version) for field in known}

    def value(self, field, version: int):
        if field.nullable_for_version_q(version) and self.rng.random() < 0.1:
            return None
        if field.is_struct_array():
            return [self.struct(field._fields, version) for _ in range(self.rng.choice((0, 1, 1, 2, 3)))]
        if field.is_array():
            return [self.simple(field.array_of) for _ in range(self.rng.choice((0, 1, 1, 2, 3)))]
        if field.is_struct():
            return self.struct(field._fields, version)
        return self.simple(field)

    def simple(self, field):
        kind = field._type_str
        if field.name in WAITS:
            return self.rng.choice((-(2**31), -1, 0, 1, 100))
        if kind == "records":
            return self.records()
        if kind == "bytes":
            return self.rng.choice((b"", b"\0", b"\xff" * 40, self.records()))
        if kind == "uuid":
            return self.rng.choice((uuid.UUID(int=0), uuid.UUID(int=2**128 - 1), uuid.uuid4()))
        if kind == "string":
            about = "topic" if "topic" in field._json.get("entityType", "") + field.name else field.name
            return self.rng.choice(TEXTS.get(about, NAMES))
        return self.rng.choice(NUMBERS[kind])

    def records(self) -> bytes:
        """A batch whose checksum is right, whatever its header says."""
        builder = DefaultRecordBatchBuilder(
            magic=2, compression_type=self.rng.choice((0, 0, 1, 3)), is_transactional=False,
            producer_id=self.rng.choice((-1, 0, 7)), producer_epoch=0, base_sequence=0, batch_size=1 << 20)
        for offset in range(self.rng.choice((1, 1, 3))):
            builder.append(offset, self.rng.choice((-1, 0, 1_357_034_400_000)), self.rng.choice((None, b"", b"k")),
                           b"value", self.rng.choice(([], [("", None)], [("h", b"v")])))
        batch = bytearray(builder.build())
        for _ in range(self.rng.choice((0, 1, 2))):
            at, layout, kind = self.rng.choice(HEADER)
            struct.pack_into(layout, batch, at, self.rng.choice(NUMBERS[kind]))
        struct.pack_into(">I", batch, 17, calc_crc32c(batch[21:]))
        return bytes(batch)


# What a batch says before its records: attributes, last offset delta, two timestamps, producer's id, epoch and
# sequence, the number of records; and before what the checksum covers: offset, length, leader epoch and magic.
HEADER = [
    (0, ">q", "int64"), (8, ">i", "int32"), (12, ">i", "int32"), (16, ">b", "int8"), (21, ">h", "int16"),
    (23, ">i", "int32"), (27, ">q", "int64"), (35, ">q", "int64"), (43, ">q", "int64"), (51, ">h", "int16"),
    (53, ">i", "int32"), (57, ">i", "int32"),
]


@pytest.mark.parametrize("seed", range(2))
def test_every_field_of_every_version_at_its_ends_harms_nobody(durable, name, seed):
    """Each request is answered as its schema says, or its connection is closed; a restart finds all in order."""
    for topic in (*TOPICS, name):
        create_topic(durable.kafka, topic, 3)
    kafka_client.publish(durable, name, [Msg(b"kept")])
    rng, known = random.Random(seed), requests()
    versions = Peer(durable.kafka).ask(ApiVersionsRequest, 0, {}).api_keys
    served = [(known[api.api_key], api) for api in versions if api.api_key in known]
    assert len(served) > 30, "the client's library knows what we serve"
    extremes, peer, answered = Extremes(rng), None, 0
    for _ in range(4_000 * SCALE):
        cls, api = rng.choice(served)
        version = rng.randint(api.min_version, min(api.max_version, cls.max_version))
        values = extremes.struct(cls._struct._fields, version)
        peer = peer or Peer(durable.kafka)
        try:
            answer = peer.ask(cls, version, values)
        except TimeoutError:
            pytest.fail(f"no answer to {cls.name} {version} {values}")
        except ConnectionError:
            answer = None
        answered += answer is not None
        if answer is None:
            peer = None
        assert durable.alive(), durable.tail()
    assert answered > 2_500 * SCALE, "most are answered"
    assert [m.payload for m in kafka_client.read_all(durable, name, 1)] == [b"kept"]
    durable.stop()
    durable.start()
    assert [m.payload for m in kafka_client.read_all(durable, name, 1)] == [b"kept"]
