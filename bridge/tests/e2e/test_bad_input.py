"""Bad input on all four listeners: an error or a close, bounded memory, and nobody else notices."""
import os
import random
import resource
import socket
import struct
import subprocess
import tempfile
from pathlib import Path

import pytest

from clients import cli_client, grpc_client, kafka_client
from clients.confluent_client import acked, create_topic, produce
from clients.message import Msg
from clients.pika_client import channel, publish
from crash import Bystander
from harness import Standpipe, standpipe_bin, until
from harness.recorder import Recorder, connect, say, until_closed

LISTENERS = ("amqp", "kafka", "grpc", "native")
# The worst case is 20 clients that never read 64 messages of 1 MB: about 260 MB on gRPC, 230 on native,
# where a server that buffered for each would hold 1.3 GB.
MEMORY = 384 << 20
SCALE = int(os.environ.get("E2E_SCALE", 1))


@pytest.fixture(scope="module")
def victim(tmp_path_factory):
    """One durable broker for all of it: it must not even need a restart."""
    home = tmp_path_factory.mktemp("victim")
    # In memory: what the bystander waits for is its neighbours, not the disk.
    with tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        broker = Standpipe(home / "log", data=Path(memory) / "data").start()
        yield broker
        broker.stop()


@pytest.fixture(autouse=True)
def bystander(victim):
    """Publishes during every test; and afterwards memory is bounded."""
    forget_high_water(victim.process.pid)
    client = Bystander(victim.amqp)
    client.start()
    until("the bystander is served", lambda: client.confirmed > 2 or client.failure)
    yield
    client.check()
    assert victim.alive(), victim.tail()
    assert high_water(victim.process.pid) < MEMORY


def forget_high_water(pid: int):
    """So that each test answers for itself (proc(5), clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def high_water(pid: int) -> int:
    line = next(x for x in Path(f"/proc/{pid}/status").read_text().splitlines() if x.startswith("VmHWM"))
    return int(line.split()[1]) * 1_024


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """What an ordinary client says in a handshake and one publish, for each listener."""
    home, kafka = tmp_path_factory.mktemp("recorded"), Recorder()
    broker = Standpipe(home / "log", args=["--kafka-advertise", kafka.address]).start()
    recorders = {name: kafka if name == "kafka" else Recorder() for name in LISTENERS}
    for name, recorder in recorders.items():
        recorder.target = broker.address[name]
        broker.address[name] = recorder.address
    message = [Msg(b"payload", b"key", (("header", "value"),), 1_357_034_400_000)]
    with channel(broker.amqp) as ch:
        ch.queue_declare("recorded", durable=True)
        publish(ch, "recorded", b"payload", headers={"header": "value", "table": {"list": [1, 2]}})
    kafka_client.publish(broker, "recorded", message)
    grpc_client.publish(broker, "recorded", message)
    cli_client.publish(broker, "recorded", message)
    yield {name: recorder.longest() for name, recorder in recorders.items()}
    broker.stop()
    for recorder in recorders.values():
        recorder.close()


@pytest.mark.parametrize("listener", LISTENERS)
def test_random_bytes_end_in_a_closed_connection(victim, listener):
    rng = random.Random(listener)
    for _ in range(100 * SCALE):
        say(victim.address[listener], rng.randbytes(rng.randrange(1, 4_000)))


@pytest.mark.parametrize("listener", LISTENERS)
def test_a_refused_connection_has_a_log_line_that_says_why(victim, listener):
    before = victim.log.stat().st_size
    say(victim.address[listener], b"GET /nonsense HTTP/1.0\r\n\r\n" * 4)

    def told():
        new = victim.log.read_bytes()[before:].decode(errors="replace")
        return [line for line in new.splitlines() if listener in line.lower()]
    until("a log line names the listener", told)


@pytest.mark.parametrize("listener", LISTENERS)
def test_truncation_at_every_offset_of_a_handshake_and_a_publish(victim, recorded, listener):
    whole = recorded[listener]
    assert b"payload" in whole
    for end in range(len(whole)):
        say(victim.address[listener], whole[:end])


@pytest.mark.parametrize("listener", LISTENERS)
@pytest.mark.parametrize("size", [0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF])
def test_a_size_of_two_gigabytes_at_every_offset(victim, recorded, listener, size):
    whole = recorded[listener]
    for at in range(0, len(whole) - 4):
        say(victim.address[listener], whole[:at] + struct.pack(">I", size) + whole[at + 4:])


@pytest.mark.parametrize("listener", LISTENERS)
def test_bits_flipped_anywhere(victim, recorded, listener):
    rng, whole = random.Random(listener), recorded[listener]
    for _ in range(300 * SCALE):
        bent = bytearray(whole)
        for _ in range(rng.randrange(1, 8)):
            bent[rng.randrange(len(bent))] ^= 1 << rng.randrange(8)
        say(victim.address[listener], bytes(bent))


@pytest.mark.parametrize("listener", LISTENERS)
def test_one_byte_at_a_time_is_no_fault(victim, recorded, listener):
    """Slow is not wrong: the server waits for the rest of a frame, and answers."""
    with connect(victim.address[listener]) as sock:
        for i in range(0, min(len(recorded[listener]), 200)):
            sock.sendall(recorded[listener][i:i + 1])
        assert sock.recv(1), "an answer to the handshake"


def nested(levels: int, kind: bytes) -> bytes:
    """An AMQP field value: tables (F) or arrays (A) in each other."""
    value = b"V"
    for _ in range(levels):
        inside = (b"\x01k" if kind == b"F" else b"") + value
        value = kind + struct.pack(">I", len(inside)) + inside
    return value


def table_of(value: bytes) -> bytes:
    field = b"\x01k" + value
    return struct.pack(">I", len(field)) + field


def frame(kind: int, channel_number: int, payload: bytes) -> bytes:
    return struct.pack(">BHI", kind, channel_number, len(payload)) + payload + b"\xce"


@pytest.mark.parametrize("kind", [b"F", b"A"])
def test_amqp_nesting_five_thousand_deep_before_login(victim, kind):
    start_ok = (struct.pack(">HH", 10, 11) + table_of(nested(5_000, kind)) + b"\x05PLAIN"
                + struct.pack(">I", 12) + b"\0guest\0guest" + b"\x05en_US")
    say(victim.amqp, b"AMQP\0\0\x09\x01" + frame(1, 0, start_ok))


@pytest.mark.parametrize("kind", [b"F", b"A"])
def test_amqp_nesting_five_thousand_deep_in_a_publish(victim, kind):
    with channel(victim.amqp, confirms=False) as ch:
        ch.queue_declare("nested", durable=True)
        number, headers = ch.channel_number, table_of(nested(5_000, kind))
        method = struct.pack(">HHH", 60, 40, 0) + b"\0" + b"\x06nested" + b"\0"
        header = struct.pack(">HHQH", 60, 0, 1, 1 << 13) + headers
        octets = [frame(1, number, method), frame(2, number, header), frame(3, number, b"x")]
        ch.connection._impl._output_marshaled_frames(octets)

        def refused():
            try:
                ch.connection.process_data_events(0)
            except Exception:
                return True
            return ch.is_closed
        until("it is refused", refused)


def test_amqp_a_body_of_two_to_the_63_is_refused(victim):
    with channel(victim.amqp, confirms=False) as ch:
        ch.queue_declare("huge", durable=True)
        method = struct.pack(">HHH", 60, 40, 0) + b"\0" + b"\x04huge" + b"\0"
        for size in (1 << 31, (1 << 63) - 1):
            header = struct.pack(">HHQH", 60, 0, size, 0)
            ch.connection._impl._output_marshaled_frames([frame(1, 1, method), frame(2, 1, header)])
        until("it is refused", lambda: closed_by_peer(ch))


def closed_by_peer(ch) -> bool:
    try:
        ch.connection.process_data_events(0)
    except Exception:
        return True
    return ch.is_closed


def test_grpc_nesting_five_thousand_deep(victim):
    """Message.headers[0].value.list.items[0].list..., made by hand: protobuf itself refuses to."""
    def field(number: int, octets: bytes) -> bytes:
        size, length = bytearray(), len(octets)
        while length > 127:
            size.append(length & 127 | 128)
            length >>= 7
        return bytes([*([number << 3 | 2] if number < 16 else [number << 3 & 127 | 130, number >> 4]), *size, length]) + octets
    value = b""
    for _ in range(5_000):
        value = field(17, field(1, value))
    message = field(3, field(1, b"name") + field(2, value))
    request = field(1, b"/nested") + field(3, field(2, message))
    pb, _ = grpc_client.stubs()
    assert pb.PublishRequest.FromString(field(1, b"/ok")).destination == "/ok"
    raw, _ = grpc_client.connect(victim.grpc)
    with raw:
        call = raw.stream_stream("/standpipe.v1.Standpipe/Publish")(iter([request]), timeout=20)
        with pytest.raises(grpc_client.grpc.RpcError):
            for answer in call:
                assert not pb.PublishResult.FromString(answer).HasField("ok")
            raise grpc_client.grpc.RpcError("refused message by message")


def test_kafka_headers_that_claim_to_be_nested(victim):
    """A list in JSON 5,000 deep, beside the header that asks to restore it for AMQP."""
    create_topic(victim.kafka, "claims")
    deep = b'{"list":[' * 5_000 + b"]}" * 5_000
    headers = [("deep", deep), ("x-standpipe-types", b"deep:list")]
    acked(produce(victim.kafka, "claims", [{"value": b"x", "headers": headers}, {"value": b"next"}]))
    with channel(victim.amqp) as ch:
        ch.queue_declare("claims", durable=True)
        until("the next message is reached", lambda: (ch.basic_get("claims", auto_ack=True)[2]) == b"next")


def test_a_nested_envelope_is_bad_data(victim):
    line = b'{"payload":"x","headers":[["deep",' + b'{"list":[' * 5_000 + b"]}" * 5_000 + b"]]}\n"
    done = victim.run("pub", victim.url("standpipe", "envelopes"), stdin=line)
    assert done.returncode == 65, done


def raise_open_files(wanted: int):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))


def test_a_thousand_half_open_connections_are_closed_in_ten_seconds(victim, recorded):
    """On each listener at once; half say nothing, half stop inside their handshake."""
    raise_open_files(8_192)
    opened = {name: [connect(victim.address[name], seconds=15) for _ in range(1_000)] for name in LISTENERS}
    try:
        for name, socks in opened.items():
            for sock in socks[::2]:
                sock.sendall(recorded[name][:5])
        for name, socks in opened.items():
            for sock in socks:
                until_closed(sock)
    finally:
        for sock in (s for socks in opened.values() for s in socks):
            sock.close()


@pytest.fixture(scope="module")
def backlog(victim):
    """64 MB to read."""
    create_topic(victim.kafka, "backlog")
    acked(produce(victim.kafka, "backlog", [{"value": os.urandom(1 << 20)}] * 64, **{
        "message.max.bytes": 2 << 20, "acks": "all"}))


def deaf(address: str, octets: bytes, times: int = 1) -> socket.socket:
    """A client that asks, and never reads the answers."""
    host, port = address.rsplit(":", 1)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    sock.settimeout(0.5)
    sock.connect((host, int(port)))
    try:
        for _ in range(times):
            sock.sendall(octets)
    except OSError:
        pass  # the server stopped reading, as it should
    return sock


@pytest.mark.parametrize("listener", LISTENERS)
def test_clients_that_never_read(victim, recorded, backlog, listener):
    """20 of them ask for the same 64 MB; a server that buffered for each would hold over a gigabyte."""
    if listener == "amqp":
        handles = [deaf_amqp(victim) for _ in range(20)]
    elif listener == "kafka":
        handles = [deaf(victim.kafka, fetch_request("backlog"), 200).close for _ in range(20)]
    elif listener == "grpc":
        pb, _ = grpc_client.stubs()
        handles = [grpc_client.Subscription(victim, "backlog", pb.MODE_POSITIONAL, credit=1_000) for _ in range(20)]
        handles = [lambda h=h: h.__exit__() for h in handles]
    else:
        handles = [deaf_sub(victim) for _ in range(20)]
    try:
        before = victim_progress(victim)
        until("others are served meanwhile", lambda: victim_progress(victim) > before + 50)
        assert high_water(victim.process.pid) < MEMORY
    finally:
        for end in handles:
            end()


def victim_progress(victim) -> int:
    with channel(victim.amqp) as ch:
        return ch.queue_declare("bystander", passive=True).method.message_count


def deaf_amqp(victim):
    def method(*parts: bytes, number=1) -> bytes:
        return frame(1, number, b"".join(parts))
    octets = (b"AMQP\0\0\x09\x01"
              + method(struct.pack(">HHI", 10, 11, 0), b"\x05PLAIN", struct.pack(">I", 12), b"\0guest\0guest\x05en_US", number=0)
              + method(struct.pack(">HHHIH", 10, 31, 100, 131_072, 0), number=0)
              + method(struct.pack(">HH", 10, 40), b"\x01/\0\0", number=0)
              + method(struct.pack(">HH", 20, 10), b"\0")
              + method(struct.pack(">HHH", 50, 10, 0), b"\x07backlog", b"\x02", struct.pack(">I", 0))
              + method(struct.pack(">HHH", 60, 20, 0), b"\x07backlog", b"\0", b"\0", struct.pack(">I", 0)))
    return deaf(victim.amqp, octets).close


def fetch_request(topic: str) -> bytes:
    """Fetch v4 of partition 0 from offset 0 on, up to 64 MB."""
    name = topic.encode()
    body = (struct.pack(">hhih", 1, 4, 7, 4) + b"deaf"
            + struct.pack(">iiiib", -1, 500, 1, 64 << 20, 0)
            + struct.pack(">ih", 1, len(name)) + name + struct.pack(">iiqi", 1, 0, 0, 64 << 20))
    return struct.pack(">i", len(body)) + body


def deaf_sub(victim):
    # Its own work, 20 times, is not to take the processors from the broker: peers have their own.
    address = victim.url("standpipe", "backlog", **{"mode": "positional"})
    sub = subprocess.Popen(["nice", "-n", "19", standpipe_bin(), "sub", address],
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def end():
        sub.kill()
        sub.wait()
        sub.stdout.close()
    return end
