"""The grpcio publisher and subscriber of examples/: under 40 lines each, called HOST:PORT TOPIC COUNT."""
import subprocess
import sys
from pathlib import Path

import pytest

from clients import grpc_client
from clients.confluent_client import create_topic, read
from harness import until

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


def script(word: str) -> Path:
    found = [p for p in EXAMPLES.rglob("*.py") if word in p.stem and "pb2" not in p.stem]
    assert len(found) == 1, f"one example with {word} in its name, not {found}"
    return found[0]


@pytest.mark.parametrize("word", ["publish", "subscribe"])
def test_the_examples_are_short(word):
    assert len(script(word).read_text().splitlines()) < 40


def test_the_publisher_publishes_and_the_subscriber_ends(shared_broker, name):
    create_topic(shared_broker.kafka, name)
    grpc_client.stubs()
    for word in ("publish", "subscribe"):
        done = subprocess.run([sys.executable, script(word), shared_broker.grpc, name, "100"],
                              capture_output=True, timeout=60)
        assert done.returncode == 0, (word, done.stderr.decode())
    until("all is there", lambda: len(read(shared_broker.kafka, name, 100)) == 100)
