"""Fixtures: our own broker and the real ones. A missing binary fails a test, and skips none."""
import os
import uuid
from pathlib import Path

import pytest

from harness import RealKafka, RealRabbit, Standpipe


def pytest_configure(config):
    # node's clients are found through this, wherever the tests run
    cache = os.environ.get("STANDPIPE_CACHE", str(Path.home() / ".cache" / "standpipe"))
    os.environ.setdefault("STANDPIPE_CACHE", cache)
    os.environ["NODE_PATH"] = f"{cache}/node/node_modules"


@pytest.fixture(scope="session")
def rabbitmq():
    real = RealRabbit()
    yield real
    real.stop()


@pytest.fixture(scope="session")
def kafka():
    real = RealKafka()
    yield real
    real.stop()


@pytest.fixture(scope="session")
def shared_broker(tmp_path_factory):
    """One Standpipe in memory for all tests that name their own things."""
    broker = Standpipe(tmp_path_factory.mktemp("standpipe") / "log").start()
    yield broker
    broker.stop()


@pytest.fixture
def broker(tmp_path):
    """A Standpipe in memory for this test alone."""
    broker = Standpipe(tmp_path / "log").start()
    yield broker
    broker.stop()


@pytest.fixture
def durable(tmp_path):
    """A Standpipe with a data folder and fixed ports; killing and starting it is the test's."""
    broker = Standpipe(tmp_path / "log", data=tmp_path / "data").start()
    yield broker
    if broker.alive():
        broker.stop()


@pytest.fixture(params=[pytest.param("rabbitmq", marks=pytest.mark.real), "standpipe"])
def amqp(request):
    """HOST:PORT of an AMQP 0-9-1 broker: the same test holds for RabbitMQ and for us."""
    name = "rabbitmq" if request.param == "rabbitmq" else "shared_broker"
    return request.getfixturevalue(name).amqp


@pytest.fixture(params=[pytest.param("kafka", marks=pytest.mark.real), "standpipe"])
def bootstrap(request):
    """HOST:PORT of a Kafka broker: the same test holds for Apache's and for us."""
    name = "kafka" if request.param == "kafka" else "shared_broker"
    return request.getfixturevalue(name).kafka


@pytest.fixture
def name(request):
    """A name that no other test uses."""
    return f"t-{uuid.uuid4().hex[:12]}"
