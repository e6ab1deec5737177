"""RabbitMQ's PerfTest and Kafka's performance tools, each run against one broker."""
import os
import re
import subprocess
from pathlib import Path

from measure import Run, cpu_seconds

CACHE = Path(os.environ.get("STANDPIPE_CACHE", Path.home() / ".cache" / "standpipe"))
QUIET = Path(__file__).parents[1] / "tests" / "brokers" / "log4j2.properties"


def java(jars: str, tool: str, *args) -> str:
    command = ["java", "-Xmx512m", f"-Dlog4j2.configurationFile={QUIET}", "-cp", f"{CACHE}/jars/{jars}/*", tool, *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise SystemExit(f"{tool} ended with {done.returncode}:\n{done.stdout[-2_000:]}{done.stderr[-2_000:]}")
    return done.stdout


def measured(broker, count: int, load) -> Run:
    before = cpu_seconds(broker.pid)
    rate = load()
    return Run(rate, (cpu_seconds(broker.pid) - before) / count * 1e6)


def perf_test(broker, queue: str, *args) -> str:
    return java("perf-test-2.22.1", "com.rabbitmq.perf.PerfTest", "-h", f"amqp://guest:guest@{broker.amqp}/%2f",
                "-u", queue, "-ad", "false", "-f", "persistent", "-z", 240, *args)


def rate_of(output: str, what: str) -> float:
    return float(re.search(rf"{what} rate avg: (\d+)", output).group(1))


def amqp(broker, name: str, size: int, count: int, _mode: str) -> tuple[Run, Run]:
    """Persistent, 500 confirms in flight; then read with a prefetch of 500, acks of 50."""
    publish = measured(broker, count, lambda: rate_of(
        perf_test(broker, name, "-x", 1, "-y", 0, "-s", size, "-c", 500, "-C", count), "sending"))
    consume = measured(broker, count, lambda: rate_of(
        perf_test(broker, name, "-x", 0, "-y", 1, "-q", 500, "-A", 50, "-D", count), "receiving"))
    return publish, consume


def kafka(broker, name: str, size: int, count: int, mode: str) -> tuple[Run, Run]:
    """acks=all where both sync before they answer, acks=1 where neither does."""
    def produce() -> float:
        said = java("kafka-4.3.1", "org.apache.kafka.tools.ProducerPerformance", "--topic", name, "--num-records", count,
                    "--record-size", size, "--throughput", -1, "--producer-props", f"bootstrap.servers={broker.kafka}",
                    f"acks={'all' if mode == 'disk' else '1'}", "linger.ms=5", "batch.size=65536", "enable.idempotence=false")
        return float(re.findall(r"([\d.]+) records/sec", said)[-1])

    def consume() -> float:
        said = java("kafka-4.3.1", "org.apache.kafka.tools.ConsumerPerformance", "--bootstrap-server", broker.kafka,
                    "--topic", name, "--num-records", count, "--timeout", 60_000)
        header, values = [line.split(", ") for line in said.strip().splitlines()[-2:]]
        return float(dict(zip(header, values))["fetch.nMsg.sec"])
    return measured(broker, count, produce), measured(broker, count, consume)
