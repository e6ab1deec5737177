"""`standpipe pub` and `standpipe sub`: envelopes, one JSON object a line."""
import base64
import json
from datetime import datetime, timezone

from clients.message import Msg

NAME = "cli"


def publish(broker, topic: str, messages: list[Msg], scheme: str = "standpipe", **options):
    done = broker.run("pub", broker.url(scheme, topic, **options), stdin=to_lines(messages), seconds=600)
    assert done.returncode == 0, done.stderr.decode()


def read_all(broker, topic: str, count: int, scheme: str = "standpipe", **options) -> list[Msg]:
    """Positional, from the earliest message to the end."""
    options = options or {"mode": "positional", "from": "earliest"}
    done = broker.run("sub", broker.url(scheme, topic, **options), "--drain", seconds=600)
    assert done.returncode == 0, done.stderr.decode()
    return from_lines(done.stdout)


def to_lines(messages: list[Msg]) -> bytes:
    return "".join(json.dumps(envelope(m), ensure_ascii=False) + "\n" for m in messages).encode()


def from_lines(lines: bytes) -> list[Msg]:
    return [from_envelope(json.loads(line)) for line in lines.splitlines()]


def envelope(message: Msg) -> dict:
    line = {name: octets_out(value) for name in ("key", "payload") if (value := getattr(message, name)) is not None}
    if message.headers:
        line["headers"] = [[name, value_out(value)] for name, value in message.headers]
    if message.timestamp is not None:
        at = datetime.fromtimestamp(message.timestamp / 1_000, timezone.utc)
        line["props"] = {"timestamp": {"ts": at.isoformat(timespec="milliseconds").replace("+00:00", "Z")}}
    return line


def from_envelope(line: dict) -> Msg:
    stamp = line.get("props", {}).get("timestamp")
    return Msg(
        octets_in(line.get("payload")), octets_in(line.get("key")),
        tuple((name, value_in(value)) for name, value in line.get("headers", [])),
        milliseconds(stamp["ts"]) if stamp else None)


def milliseconds(stamp: str) -> int:
    at = datetime.fromisoformat(stamp.replace("Z", "+00:00"))
    return round(at.timestamp() * 1_000)


def octets_out(octets: bytes):
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(octets).decode()}


def octets_in(value) -> bytes | None:
    if isinstance(value, dict):
        return base64.b64decode(value["b64"])
    return value.encode() if value is not None else None


def value_out(value):
    match value:
        case bytes(): return {"b64": base64.b64encode(value).decode()}
        case None | bool() | str(): return value
        case int(): return {"i64": str(value)}
        case float(): return {"f64": repr(value)}
    raise TypeError(value)


def value_in(value):
    """Plain where Python has it, else the envelope's own typed text."""
    if isinstance(value, dict) and "b64" in value:
        return base64.b64decode(value["b64"])
    if isinstance(value, dict) and "i64" in value:
        return int(value["i64"])
    return value
