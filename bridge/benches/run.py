#!/usr/bin/env python3
"""Standpipe beside a real RabbitMQ and a real Kafka, in one run, as ratios (`make bench`).

Every figure is the median of BENCH_ROUNDS interleaved pairs (default 5), with the least and the
most beside it. A machine is noisy; the ratio within a pair is what counts. BENCH_SCALE
multiplies the number of messages.
"""
import os
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "e2e"))

import loads  # noqa: E402
from harness import RealKafka, RealRabbit, Standpipe  # noqa: E402
from measure import peak_memory, ratios, spread  # noqa: E402

ROUNDS = int(os.environ.get("BENCH_ROUNDS", 5))
SCALE = float(os.environ.get("BENCH_SCALE", 1))
SIZES = (100, 1_000)

# (what, the load, messages of 100 and of 1,000 bytes, what both promise before they answer)
CASES = [
    ("AMQP", loads.amqp, (100_000, 50_000), "disk"),
    ("Kafka", loads.kafka, (2_000_000, 500_000), "disk"),
    ("Kafka", loads.kafka, (2_000_000, 500_000), "os"),
]


class Ours(Standpipe):
    @property
    def pid(self) -> int:
        return self.process.pid


def pair(load, ours, theirs, name: str, size: int, count: int, mode: str, swap: bool):
    """One run on each, in alternating order; (ours, theirs)."""
    done = {}
    for broker in ((theirs, ours) if swap else (ours, theirs)):
        done[broker] = load(broker, name, size, count, mode)
    return done[ours], done[theirs]


def measure(ours: Ours, rivals: dict, only: str) -> dict:
    """(case, size, operation) -> list of pairs."""
    table = defaultdict(list)
    for number in range(ROUNDS):
        for what, load, counts, mode in CASES:
            if only and only.lower() != what.lower():
                continue
            for size, count in zip(SIZES, counts):
                name = f"bench-{what}-{mode}-{size}-{number}".lower()
                mine, other = pair(load, ours, rivals[what, mode], name, size, int(count * SCALE), mode, number % 2 == 1)
                for operation, a, b in zip(("publish", "consume"), mine, other):
                    table[what, mode, size, operation].append((a, b))
                    print(f"round {number + 1}: {what} {mode} {size} B {operation}: {a.rate:,.0f}/s and {b.rate:,.0f}/s",
                          file=sys.stderr)
    return table


def report(table: dict):
    print("| | bytes | | Standpipe, messages/s | the other | ratio | Standpipe, CPU-s a million | the other | ratio |")
    print("|---|---|---|---|---|---|---|---|---|")
    for (what, mode, size, operation), pairs in table.items():
        mine, other = zip(*pairs)
        rates = [[r.rate for r in side] for side in (mine, other)]
        cpu = [[r.cpu_seconds for r in side] for side in (mine, other)]
        print(f"| {what}, {mode} | {size} | {operation} | {spread(rates[0])} | {spread(rates[1])} | "
              f"{spread(ratios(*rates), 2)} | {spread(cpu[0], 1)} | {spread(cpu[1], 1)} | {spread(ratios(*cpu), 2)} |")


def main():
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    with tempfile.TemporaryDirectory(prefix="standpipe-bench-") as home:
        ours = Ours(Path(home) / "log", data=Path(home) / "data", env={"RUST_LOG": "warn"}).start()
        rivals = {}
        if only.lower() in ("", "amqp"):
            rivals["AMQP", "disk"] = RealRabbit()
        if only.lower() in ("", "kafka"):
            rivals["Kafka", "disk"] = RealKafka(KAFKA_HEAP="1g", KAFKA_EXTRA="log.flush.interval.messages=1")
            rivals["Kafka", "os"] = RealKafka(KAFKA_HEAP="1g")
        try:
            report(measure(ours, rivals, only))
            print(f"\npeak memory, MB: Standpipe {peak_memory(ours.pid):,.0f}; " + "; ".join(
                f"{what} ({mode}) {peak_memory(rival.pid):,.0f}" for (what, mode), rival in rivals.items()))
            ours.stop()
        finally:
            if ours.alive():
                ours.kill()
            for rival in rivals.values():
                rival.stop()


if __name__ == "__main__":
    main()
