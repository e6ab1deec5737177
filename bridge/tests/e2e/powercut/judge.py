"""What a store that a power cut left must still have, read back over the protocols."""
import contextlib
import shutil
from pathlib import Path

from confluent_kafka import TopicPartition

from clients.confluent_client import consumer, poll
from clients.pika_client import channel, ready
from harness import Standpipe, until

from .clocked import ClockedLedger
from .load import KEPT, QUEUES, Load, bounds
from .run import opens
from .workers import padded


def judged(left: Path, promises: list[tuple[Load, int]]):
    """Opens a copy of what is left, and holds it against what each load was promised before a time."""
    directory = left.with_name(f"{left.name}-judged")
    shutil.copytree(left, directory)
    broker = Standpipe(directory.with_name(directory.name + ".log"), data=directory / "data")
    judges = [Judge(broker, load, time) for load, time in promises if load.made_at <= time]
    if judges or (broker.data / "format").exists():  # else it may be no store yet
        is_sound(broker)
    try:
        opens(broker)
        for judge in judges:
            judge.judges()
    finally:
        broker.kill()
    is_sound(broker)
    losses = [loss for judge in judges for loss in judge.losses]
    assert not losses, "; ".join(losses)
    shutil.rmtree(directory)


def is_sound(broker: Standpipe):
    """What a cut leaves is no damage."""
    done = broker.run("store", "check", broker.data)
    said = (done.stdout + done.stderr).decode(errors="replace")
    assert done.returncode == 0, f"`store check` ends with {done.returncode}: {said}"


class Judge:
    """Reads back what one load was promised before `time`; `losses` says what was not kept."""

    def __init__(self, broker: Standpipe, load: Load, time: int):
        self.broker, self.load, self.time, self.losses = broker, load, time, []

    def judges(self):
        with channel(self.broker.amqp) as ch:
            self._fan_out(ch)
            self._passing(ch)
            self._delayed(ch)
        self._kafka()

    def wants(self, held: bool, what: str):
        if not held:
            self.losses.append(what)

    def has_all(self, wanted: set, found: set, what: str):
        lost = wanted - found
        self.wants(not lost, f"{what}: {len(lost)} of {len(wanted)} are lost, such as {sorted(lost)[:5]}")

    def _fan_out(self, ch):
        """In all three queues or in none, in order, each once; what was acked stays so."""
        found = {queue: drained(ch, self.load.named(queue)) for queue in QUEUES}
        for queue, got in found.items():
            numbers = [number for number, _ in got]
            self.wants(numbers == sorted(set(numbers)), f"{queue}: not in order and each once")
        whole = {number for number, _ in found["untouched"]}
        self.has_all(numbered(self.load.amqp.confirmed.before(self.time)), whole, "untouched: confirmed messages")
        self._acks("all-acked", self.load.acked, found["all-acked"], whole)
        self._acks("all-settled", self.load.settled, found["all-settled"], whole)

    def _acks(self, queue: str, ledger: ClockedLedger, got: list, whole: set):
        rest = {number for number, _ in got}
        answered, sent = numbered(ledger.answers.before(self.time)), numbered(ledger.sendings.before(self.time))
        back = answered & rest
        self.wants(not back, f"{queue}: {len(back)} came back although their settling was answered: {sorted(back)[:5]}")
        self.has_all(whole - sent, rest, f"{queue}: messages that the other queue has and nobody settled")
        self.has_all(answered | rest, whole, "untouched: messages that another queue had")
        seen = numbered(ledger.deliveries.before(self.time))
        silent = {number for number, redelivered in got if number in seen and not redelivered}
        self.wants(not silent, f"{queue}: delivered before and not said to be: {sorted(silent)[:5]}")

    def _passing(self, ch):
        """Queues that were filled are there, and those that were deleted are not."""
        load = self.load.passing
        reader = consumer(self.broker.kafka)
        topics = {name for name in reader.list_topics(timeout=10).topics if name.startswith(load.prefix)}
        reader.close()
        wanted = load.filled.before(self.time) - load.deletions.before(self.time)
        self.has_all(wanted, topics, "queues")
        empty = {queue for queue in wanted & topics if ready(ch, queue) != 1}
        self.wants(not empty, f"a queue's message is lost: {sorted(empty)[:5]}")
        back = load.deleted.before(self.time) & topics
        self.wants(not back, f"deleted queues are back: {sorted(back)[:5]}")

    def _delayed(self, ch):
        """All of them come in time, once, and each once."""
        wanted, numbers = numbered(self.load.delayed.confirmed.before(self.time)), []

        def come():
            numbers.extend(number for number, _ in drained(ch, self.load.delayed.queue))
            return wanted <= set(numbers)
        with contextlib.suppress(AssertionError):  # which ones do not is said below
            until("delayed messages come", come, seconds=5)
        self.has_all(wanted, set(numbers), "delayed messages")
        self.wants(len(numbers) == len(set(numbers)), "a delayed message came twice")

    def _kafka(self):
        """What was confirmed is at its offset; a commit that was answered stays."""
        low, log = self._log("log", lambda offset: b"%d" % offset, self.load.kafka.confirmed)
        self.wants(low == 0, f"log: begins at {low}")
        low, bulk = self._log("bulk", padded, self.load.bulk.confirmed)
        told = max(self.load.stable.before(self.time), default=0)
        self.wants(told <= bulk.stop, f"bulk: ends at {bulk.stop}; readers were told that it is synced up to {told}")
        kept = sum(len(padded(offset)) for offset in bulk)
        self.wants(low == 0 or kept > 0.9 * KEPT, f"bulk: {kept} octets of at least {KEPT} are kept")
        reader = consumer(self.broker.kafka, self.load.committer.group)
        at = max(reader.committed([self.load.committer.partition], timeout=10)[0].offset, 0)
        reader.close()
        answered = max(self.load.committer.answers.before(self.time), default=0)
        sent = max(self.load.committer.sendings.before(self.time), default=0)
        self.wants(answered <= at <= min(sent, len(log)), f"committed is {at}; {answered} was answered, {sent} sent")

    def _log(self, topic: str, body, confirmed) -> tuple[int, range]:
        """A topic to which one client sent body(0), body(1) ...: its first offset, and all that it has."""
        reader, topic = consumer(self.broker.kafka), self.load.named(topic)
        low, high = bounds(reader, topic)
        reader.assign([TopicPartition(topic, 0, low)])
        got = {m.offset(): m.value() for m in poll(reader, high - low)} if high > low else {}
        reader.close()
        wrong = [offset for offset in range(low, high) if got.get(offset) != body(offset)]
        self.wants(not wrong, f"{topic}: {len(wrong)} offsets do not have what was sent there: {wrong[:5]}")
        told = {(number, offset) for number, offset in confirmed.before(self.time) if offset >= low}
        self.has_all(told, {(offset, offset) for offset in range(low, high)}, f"{topic}: confirmed (number, offset)")
        return low, range(low, high)


def numbered(bodies) -> set[int]:
    return {int(body) for body in bodies}


def drained(ch, queue: str) -> list[tuple[int, bool]]:
    """(number, redelivered) of all that is ready in a queue."""
    left, got = ready(ch, queue), []
    if not left:
        return []
    for method, _, body in ch.consume(queue, inactivity_timeout=20):
        assert method, f"{queue}: {len(got)} of {left} messages came"
        got.append((int(body), method.redelivered))
        if len(got) == left:
            ch.basic_ack(method.delivery_tag, multiple=True)
            break
    ch.cancel()  # gives back what came beyond that
    return got
