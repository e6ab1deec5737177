"""Acked means kept: SIGKILL at random moments under load, also while it recovers."""
import os
import random
import subprocess

import pytest

from clients.confluent_client import create_topic, produce, read, watermarks
from clients.pika_client import channel, closes_channel, get, publish, ready, take
from crash import AmqpProducer, AmqpWorker, GrpcWorker, KafkaCommitter, KafkaProducer, Ledger
from harness import until

KILLS = int(os.environ.get("E2E_KILLS", 3))
SEED = int(os.environ.get("E2E_SEED", 0)) or random.SystemRandom().randrange(1, 1 << 32)
HORIZON = 1_024
QUEUES = ("all-acked", "untouched", "all-settled")


class Load:
    """Everything that runs while the broker is killed."""

    def __init__(self, broker, rng):
        create_topic(broker.kafka, "log")
        with channel(broker.amqp) as ch:
            ch.exchange_declare("fan", "fanout", durable=True)
            for queue in QUEUES:
                ch.queue_declare(queue, durable=True)
                ch.queue_bind(queue, "fan", "")
        self.acked, self.settled = Ledger(), Ledger()
        self.amqp, self.kafka = AmqpProducer(broker.amqp, "fan"), KafkaProducer(broker.kafka, "log")
        self.committer = KafkaCommitter(broker.kafka, "log")
        self.workers = [self.amqp, self.kafka, self.committer,
                        AmqpWorker(broker.amqp, "all-acked", self.acked, rng),
                        GrpcWorker(broker, "all-settled", self.settled, rng)]
        for worker in self.workers:
            worker.start()

    def progress(self) -> tuple:
        return (len(self.amqp.confirmed), self.kafka.acked, len(self.acked.settled), len(self.settled.settled),
                self.committer.answered)

    def moves_by(self, by: int):
        """All five clients get on by so much: the broker serves each of them."""
        before = self.progress()

        def moved():
            for worker in self.workers:
                assert worker.failure is None, worker.failure
            return all(now >= then + by for now, then in zip(self.progress(), before))
        until(f"every client moves by {by}, now {before}", moved, seconds=60)

    def stop(self):
        for worker in self.workers:
            worker.stop()


def declare_a_moment_before(broker, number: int) -> str:
    queue = f"fresh-{number}"
    with channel(broker.amqp) as ch:
        ch.queue_declare(queue, durable=True)
        publish(ch, queue, b"fresh", delivery_mode=2)
        return queue


def kill_and_restart(broker, rng) -> float:
    """Kills it, sometimes once or twice more while it recovers; returns how long the start took."""
    broker.kill()
    for _ in range(rng.choice([0, 0, 1, 2])):
        broker.launch()
        try:
            broker.process.wait(rng.uniform(0.001, 0.030))
            raise AssertionError(f"serve ended by itself: {broker.tail()}")
        except subprocess.TimeoutExpired:
            broker.kill()
    return broker.launch().wait_ready()


def drained(broker, queue) -> list[int]:
    with channel(broker.amqp) as ch:
        return [int(b) for _, _, b in take(ch, queue, ready(ch, queue))] if ready(ch, queue) else []


def check_fan_out(broker, load):
    """In all three queues or in none, everything confirmed, in order, each once."""
    whole = drained(broker, "untouched")
    assert whole == sorted(set(whole)), "in order and each once"
    lost = {int(n) for n in load.amqp.confirmed} - set(whole)
    assert not lost, f"{len(lost)} confirmed messages are lost: {sorted(lost)[:10]}"
    for queue, ledger in (("all-acked", load.acked), ("all-settled", load.settled)):
        rest = drained(broker, queue)
        assert rest == sorted(set(rest)), f"{queue}: in order and each once"
        settled, uncertain = ({int(b) for b in s} for s in (ledger.settled, ledger.uncertain))
        assert not settled & set(rest), f"{queue}: what was settled is back"
        assert set(whole) - settled - uncertain <= set(rest), f"{queue}: a message is in another queue, and not here"
        assert settled | set(rest) <= set(whole), f"{queue}: a message is here, and not in another queue"


@pytest.mark.timeout(60 + 60 * KILLS)
def test_nothing_acked_is_lost_over_kills(durable):
    print(f"E2E_SEED={SEED} E2E_KILLS={KILLS}")
    rng = random.Random(SEED)
    load = Load(durable, random.Random(SEED + 1))
    for number in range(KILLS):
        load.moves_by(rng.randrange(20, 400))
        fresh = declare_a_moment_before(durable, number)
        took = kill_and_restart(durable, rng)
        assert took < 1.0, f"restart {number} took {took:.3f} s"
        with channel(durable.amqp) as ch:
            assert ready(ch, fresh) == 1, f"{fresh} was confirmed a moment before the kill"
    load.moves_by(20)
    load.stop()
    for ledger in (load.acked, load.settled):
        assert not ledger.wrong, ledger.wrong[:10]
        assert ledger.false_redelivered <= HORIZON * KILLS * 3, "at most a horizon step a partition and crash"
    assert not load.committer.wrong and not load.kafka.errors, (load.committer.wrong, load.kafka.errors[:3])
    check_fan_out(durable, load)
    records = read(durable.kafka, "log", load.kafka.next)
    assert [int(m.value()) for m in records] == list(range(load.kafka.next)), "no duplicate, gap or reorder"
    assert [m.offset() for m in records] == list(range(load.kafka.next)), "dense"
    assert watermarks(durable.kafka, "log") == (0, load.kafka.next)
    durable.stop()


def test_what_the_system_has_survives_a_kill(durable, name):
    create_topic(durable.kafka, name)
    for acks in ("1", "all"):  # `os` and `disk`
        reports = produce(durable.kafka, name, [{"value": f"{acks}-{n}"} for n in range(50)], acks=acks)
        assert not any(error for error, _ in reports)
        durable.kill()
        durable.start()
    want = [f"{acks}-{n}" for acks in ("1", "all") for n in range(50)]
    assert [m.value().decode() for m in read(durable.kafka, name, 100)] == want


def test_a_restart_keeps_what_a_clean_stop_left(durable, name):
    with channel(durable.amqp) as ch:
        ch.queue_declare(name, durable=True)
        publish(ch, name, *(b"%d" % i for i in range(100)), delivery_mode=2)
        for tag in [get(ch, name)[0].delivery_tag for _ in range(50)][:30]:
            ch.basic_ack(tag)
    durable.stop()
    durable.start()
    with channel(durable.amqp) as ch:
        got = take(ch, name, 70)
        assert [int(b) for _, _, b in got] == list(range(30, 100))
        assert [m.redelivered for m, _, _ in got] == [True] * 20 + [False] * 50, "exact after a clean stop"


def test_transient_things_end_with_the_process_and_durable_ones_do_not(durable, name):
    with channel(durable.amqp) as ch:
        ch.queue_declare(name, durable=True)
        ch.exchange_declare(name, "topic", durable=True)
        ch.queue_bind(name, name, "a.#")
        ch.queue_declare(f"{name}-gone")
        ch.exchange_declare(f"{name}-gone", "direct")
    durable.kill()
    durable.start()
    with channel(durable.amqp) as ch:
        ch.basic_publish(name, "a.b", b"routed", mandatory=True)
        closes_channel(ch, 404, lambda: ch.queue_declare(f"{name}-gone", passive=True))
    with channel(durable.amqp) as ch:
        closes_channel(ch, 404, lambda: ch.exchange_declare(f"{name}-gone", passive=True))
