"""A message as the tests compare it, whatever protocol it came over."""
from dataclasses import dataclass

# What only carries other things over a protocol that has no place for them.
CARRIERS = "x-standpipe-"


@dataclass(frozen=True)
class Msg:
    """`payload` None is a tombstone. A header's value is str, bytes, None, bool, or what the
    protocol gives for other types; `timestamp` is in milliseconds."""
    payload: bytes | None
    key: bytes | None = None
    headers: tuple = ()
    timestamp: int | None = None


def text_or_bytes(octets: bytes | None) -> str | bytes | None:
    """Kafka headers are octets; elsewhere they are text where they are UTF-8."""
    if octets is None:
        return None
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets


def octets(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


def mismatches(sent: list[Msg], got: list[Msg]) -> list[str]:
    """Every place where they differ, in words."""
    found = [f"{len(got)} messages instead of {len(sent)}"] if len(got) != len(sent) else []
    return found + [f"#{i}: sent {s}, got {g}" for i, (s, g) in enumerate(zip(sent, got)) if s != g]
