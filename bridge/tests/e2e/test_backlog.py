"""A backlog costs disk, not memory; what was settled gives its space back; a full disk says so."""
import json
import os
import random
import subprocess
from pathlib import Path

import pika
import pytest

from clients.confluent_client import acked, create_topic, produce, read
from clients.pika_client import channel
from harness import Standpipe, until

CACHE = Path(os.environ.get("STANDPIPE_CACHE", Path.home() / ".cache" / "standpipe"))
WAITING = int(os.environ.get("E2E_BACKLOG", 1_000_000))
MB = 1_000_000


def memory(pid: int, what: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1_024 for line in lines if line.startswith(what))


def perf_test(broker, queue: str, *args):
    command = ["java", "-Xmx512m", "-cp", f"{CACHE}/jars/perf-test-2.22.1/*", "com.rabbitmq.perf.PerfTest",
               "-h", f"amqp://guest:guest@{broker.amqp}/%2f", "-u", queue, "-ad", "false", "-f", "persistent",
               *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3_000, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-2_000:]


def size_of(folder: Path) -> int:
    """What the files take on the disk, holes left out."""
    sizes = []
    for path in folder.iterdir():
        try:
            sizes.append(path.stat().st_blocks * 512)
        except FileNotFoundError:
            pass  # removed meanwhile
    return sum(sizes)


def depth(broker, queue: str) -> int:
    with channel(broker.amqp) as ch:
        return ch.queue_declare(queue, passive=True).method.message_count


def test_a_waiting_million_fits_in_200_mb_and_its_space_comes_back(tmp_path, name):
    data = tmp_path / "data"
    broker = Standpipe(tmp_path / "log", data=data).start()
    try:
        perf_test(broker, name, "-x", 1, "-y", 0, "-s", 16, "-c", 1_000, "-C", WAITING)
        assert depth(broker, name) == WAITING
        assert memory(broker.process.pid, "VmHWM") < 200 * MB
        broker.kill()
        began = broker.launch().wait_ready()
        assert began < 2, f"it opened in {began:.1f} s"
        assert depth(broker, name) == WAITING
        perf_test(broker, name, "-x", 0, "-y", 1, "-q", 1_000, "-A", 100, "-D", WAITING)
        assert depth(broker, name) == 0
        assert memory(broker.process.pid, "VmHWM") < 200 * MB
        until("segments are gone", lambda: not list(data.glob("*.segment")), seconds=10)
        broker.stop()
    finally:
        if broker.alive():
            broker.kill()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 96 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_refuses_publishes_takes_acks_and_resumes(small_disk, tmp_path, name):
    broker = Standpipe(tmp_path / "log", data=small_disk / "data").start()
    try:
        with channel(broker.amqp) as ch, channel(broker.amqp) as later:
            ch.queue_declare(name, durable=True)
            told, told_later = hears(ch.connection), hears(later.connection)
            taken = fill(ch, name)
            until("the publisher is told", lambda: told() and told()[-1] == "blocked", seconds=5)
            assert told_later() == [], "it has not published"
            assert not publishes(later, name)
            assert told_later() == ["blocked"], "at its first publish"
            assert taken * 10_000 > 40 * MB, f"only {taken} messages of 10 KB fit"
            assert "No space left on device" in broker.tail()
            assert depth(broker, name) == taken
            got = [ch.basic_get(name) for _ in range(taken)]
            assert all(method for method, _, _ in got)
            ch.basic_ack(got[-1][0].delivery_tag, multiple=True)
            assert depth(broker, name) == 0
            until("publishing resumes", lambda: publishes(ch, name), seconds=5)
            for heard in (told, told_later):
                until("publishers are told", lambda: heard()[-1] == "unblocked", seconds=5)
        broker.stop()
    finally:
        if broker.alive():
            broker.kill()


def test_batches_far_beyond_the_journal_survive_kills_and_are_checked_and_dumped(small_disk, tmp_path, name):
    data, sent, noise = small_disk / "data", [], random.Random(7)
    broker = Standpipe(tmp_path / "log", data=data).start()
    try:
        create_topic(broker.kafka, name)
        for round_ in range(3):
            # Batches of one to some hundreds of messages, 14 MB a round; the journal is 24 MB here.
            more = [{"key": b"%d" % (i % 9), "value": b"%d/%s" % (i, noise.randbytes(i * 7 % 700).hex().encode())}
                    for i in range(20_000)]
            how = {"batch.num.messages": 1 + 150 * round_, "compression.type": ["none", "lz4", "zstd"][round_]}
            acked(produce(broker.kafka, name, more, **how))
            sent += more
            broker.kill()
            broker.launch().wait_ready()
            got = read(broker.kafka, name, len(sent))
            assert [m.value() for m in got] == [m["value"] for m in sent]
            assert [m.offset() for m in got] == list(range(len(sent)))
        middle = len(sent) // 2 + 1  # inside a batch, inside a segment
        assert read(broker.kafka, name, 1, start=middle)[0].offset() == middle
        broker.stop()
        assert list(data.glob("*.segment")), "nothing was moved behind the journal"
        checked = broker.run("store", "check", data)
        assert checked.returncode == 0, checked.stdout.decode()
        stat = [json.loads(line) for line in broker.run("store", "stat", data, "--json").stdout.splitlines()]
        mine = next(line for line in stat if line.get("topic") == name)
        assert (mine["start"], mine["end"]) == (0, len(sent))
        assert mine["segments"] > 0 and 20_000 < mine["entries"] < 22_000, mine
        dumped = broker.run("store", "dump", data, "--topic", name)
        assert dumped.returncode == 0, dumped.stderr.decode()
        lines = [json.loads(line) for line in dumped.stdout.splitlines()]
        assert [line["meta"]["offset"]["u64"] for line in lines] == [str(n) for n in range(len(sent))]
        assert [line["payload"].encode() for line in lines] == [m["value"] for m in sent]
        assert [line["key"].encode() for line in lines] == [m["key"] for m in sent]
    finally:
        if broker.alive():
            broker.kill()


def hears(conn):
    """Asks what the broker has said so far on whether it takes messages."""
    said = []

    def blocked(_, method):
        assert "No space left" in method.method.reason, method
        said.append("blocked")

    conn.add_on_connection_blocked_callback(blocked)
    conn.add_on_connection_unblocked_callback(lambda *_: said.append("unblocked"))

    def heard() -> list:
        conn.process_data_events(0)
        return said
    return heard


def fill(ch, queue: str) -> int:
    for taken in range(100_000):
        if not publishes(ch, queue, bytes(10_000)):
            return taken
    raise AssertionError("the disk never fills")


def publishes(ch, queue: str, body: bytes = b"again") -> bool:
    try:
        ch.basic_publish("", queue, body, pika.BasicProperties(delivery_mode=2), mandatory=True)
    except pika.exceptions.NackError:
        return False
    return True
