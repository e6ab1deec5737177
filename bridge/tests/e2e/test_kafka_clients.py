"""Every Kafka client that people have: kafka-python, aiokafka, kafkajs, kcat, and Java's own tools."""
import asyncio
import json
import os
import subprocess
from pathlib import Path

import aiokafka
import kafka as kafka_python
import pytest

from clients.confluent_client import acked, create_topic, produce, read

NODE = Path(__file__).parent / "clients" / "node"
HEADERS = [("a", b"1"), ("a", b"2"), ("raw", bytes([0xff]))]


def run(*command, stdin: bytes = b"", seconds: float = 60) -> bytes:
    done = subprocess.run(list(map(str, command)), input=stdin, capture_output=True, timeout=seconds)
    assert done.returncode == 0, done.stderr.decode()[-2_000:]
    return done.stdout


@pytest.mark.parametrize("codec", [None, "gzip", "snappy", "lz4", "zstd"])
def test_kafka_python(bootstrap, name, codec):
    producer = kafka_python.KafkaProducer(bootstrap_servers=bootstrap, compression_type=codec, acks="all", linger_ms=5)
    sent = [producer.send(name, str(i).encode() * 10, key=b"k", headers=HEADERS, timestamp_ms=1_357_034_400_000 + i)
            for i in range(500)]
    producer.flush(30)
    assert [f.get(10).offset for f in sent] == list(range(500))
    producer.close()
    consumer = kafka_python.KafkaConsumer(
        name, bootstrap_servers=bootstrap, group_id=name, auto_offset_reset="earliest",
        enable_auto_commit=False, consumer_timeout_ms=20_000)
    got = [m for _, m in zip(range(500), consumer)]
    assert [m.value for m in got] == [str(i).encode() * 10 for i in range(500)]
    assert [m.timestamp for m in got] == [1_357_034_400_000 + i for i in range(500)]
    assert list(got[0].headers) == HEADERS
    consumer.commit()
    assert consumer.committed(kafka_python.TopicPartition(name, 0)) == 500
    consumer.close()


@pytest.mark.parametrize("codec", [None, "gzip", "snappy", "lz4", "zstd"])
def test_aiokafka(bootstrap, name, codec):
    async def scenario():
        async with aiokafka.AIOKafkaProducer(
                bootstrap_servers=bootstrap, compression_type=codec, enable_idempotence=True, linger_ms=5) as producer:
            sends = [await producer.send(name, str(i).encode() * 10, key=b"k", headers=HEADERS) for i in range(500)]
            assert [(await s).offset for s in sends] == list(range(500))
        async with aiokafka.AIOKafkaConsumer(
                name, bootstrap_servers=bootstrap, group_id=name, auto_offset_reset="earliest",
                enable_auto_commit=False) as consumer:
            got = [await consumer.getone() for _ in range(500)]
            await consumer.commit()
            partition = aiokafka.TopicPartition(name, 0)
            return got, await consumer.committed(partition), await consumer.end_offsets([partition])
    got, committed, ends = asyncio.run(asyncio.wait_for(scenario(), 60))
    assert [m.value for m in got] == [str(i).encode() * 10 for i in range(500)]
    assert list(got[0].headers) == HEADERS
    assert committed == 500 and list(ends.values()) == [500]


def test_kafkajs(bootstrap, name):
    said = json.loads(run("node", NODE / "kafka.js", bootstrap, name, 200))
    expected = [[i % 2, f"k{i}", None if i % 10 == 9 else str(i), str(1_357_034_400_000 + i), "ü", ["a", "b"]]
                for i in range(200)]
    assert sorted(said["got"]) == sorted(expected)
    assert [m for m in said["got"] if m[0] == 0] == expected[0::2], "in order on each partition"
    assert said["committed"] == ["100", "100"]


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_kcat(bootstrap, name, codec):
    """Debian's, with librdkafka 2.0."""
    lines = b"".join(b"k%d:value %d\n" % (i, i) for i in range(300))
    run("kcat", "-b", bootstrap, "-P", "-t", name, "-K", ":", "-z", codec, "-H", "h=1", "-X", "acks=all", stdin=lines)
    assert run("kcat", "-b", bootstrap, "-C", "-t", name, "-o", "beginning", "-e", "-q", "-K", ":") == lines
    assert b"h=1" in run("kcat", "-b", bootstrap, "-C", "-t", name, "-o", "-1", "-e", "-q", "-f", "%h\n")
    assert f'topic "{name}" with 1 partitions'.encode() in run("kcat", "-b", bootstrap, "-L", "-t", name)
    assert run("kcat", "-b", bootstrap, "-Q", "-t", f"{name}:0:-1").split()[-1] == b"300"


def test_kcat_in_a_group_and_null_values(bootstrap, name):
    run("kcat", "-b", bootstrap, "-P", "-t", name, "-K", ":", "-Z", stdin=b"a:1\nb:\nc:3\n")
    got = run("kcat", "-b", bootstrap, "-G", name, "-c", "3", "-q", "-f", "%k=%S\n", "-X", "auto.offset.reset=earliest", name)
    assert got == b"a=1\nb=-1\nc=1\n"


def java(version: str, tool: str, *args, stdin: bytes = b"") -> bytes:
    jars = Path(os.environ["STANDPIPE_CACHE"]) / "jars" / f"kafka-{version}" / "*"
    quiet = Path(__file__).parents[1] / "brokers"
    return run("java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", jars,
               f"-Dlog4j2.configurationFile={quiet}/log4j2.properties", f"-Dlog4j.configuration=file:{quiet}/log4j.properties",
               tool, *args, stdin=stdin)


@pytest.mark.parametrize("codec", ["none", "zstd"])
@pytest.mark.parametrize("version", ["3.9.2", "4.3.1"])
def test_the_console_clients_of_java(bootstrap, name, version, codec):
    tools, reads, prints = {
        "3": ("kafka.tools", "--property", "--property"),
        "4": ("org.apache.kafka.tools", "--reader-property", "--formatter-property")}[version[0]]
    consumer = "org.apache.kafka.tools.consumer.ConsoleConsumer"
    lines = b"".join(b"k%d\tvalue %d\n" % (i, i) for i in range(200))
    java(version, f"{tools}.ConsoleProducer", "--bootstrap-server", bootstrap, "--topic", name, "--compression-codec", codec,
         reads, "parse.key=true", stdin=lines)
    got = java(version, consumer, "--bootstrap-server", bootstrap, "--topic", name, "--from-beginning", "--group", name,
               "--max-messages", "200", "--timeout-ms", "20000", prints, "print.key=true")
    assert got == lines


def test_javas_topic_command_and_group_command(bootstrap, name):
    create_topic(bootstrap, name, 3)
    acked(produce(bootstrap, name, [{"value": b"x"}] * 10))
    said = java("4.3.1", "org.apache.kafka.tools.TopicCommand", "--bootstrap-server", bootstrap, "--describe", "--topic", name)
    assert b"PartitionCount: 3" in said
    said = java("4.3.1", "org.apache.kafka.tools.GetOffsetShell", "--bootstrap-server", bootstrap, "--topic", name)
    assert sum(int(line.rsplit(b":", 1)[1]) for line in said.splitlines()) == 10


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_what_one_client_compressed_another_reads(bootstrap, name, codec):
    sent = [{"value": b"shared %d " % i * 30} for i in range(300)]
    acked(produce(bootstrap, name, sent, **{"compression.type": codec}))
    consumer = kafka_python.KafkaConsumer(
        name, bootstrap_servers=bootstrap, auto_offset_reset="earliest", group_id=None, consumer_timeout_ms=20_000)
    assert [m.value for _, m in zip(range(300), consumer)] == [s["value"] for s in sent]
    consumer.close()
    producer = kafka_python.KafkaProducer(bootstrap_servers=bootstrap, compression_type=codec, linger_ms=20)
    for message in sent:
        producer.send(name, message["value"])
    producer.close()
    assert [m.value() for m in read(bootstrap, name, 600)] == [s["value"] for s in sent] * 2
