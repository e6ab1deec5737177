"""Kafka's own command-line tools; on Apache Kafka and on us."""
import json

import pytest

from clients.java_tools import JavaTools


@pytest.fixture(scope="module", params=[
    pytest.param(("kafka", "4.3.1"), marks=pytest.mark.real, id="kafka-4.3.1"),
    pytest.param(("shared_broker", "3.9.2"), id="standpipe-3.9.2"),
    pytest.param(("shared_broker", "4.3.1"), id="standpipe-4.3.1")])
def tools(request):
    broker, version = request.param
    tools = JavaTools(request.getfixturevalue(broker).kafka, version)
    yield tools
    tools.close()


def file(folder, name, **content):
    path = folder / name
    path.write_text(json.dumps({"version": 1, **content}))
    return path


def settings(said: str) -> dict[str, str]:
    """Of lines such as `  retention.ms=1 sensitive=false synonyms={…}`."""
    words = (line.split()[0] for line in said.splitlines() if " sensitive=" in line)
    return dict(word.split("=", 1) for word in words)


def test_topics_and_their_settings(tools, name):
    tools("topics", "--create", "--topic", name, "--partitions", 2, "--config", "segment.bytes=1048576",
          "--config", "max.message.bytes=100000")
    assert name in tools("topics", "--list").split()
    tools("topics", "--alter", "--topic", name, "--partitions", 3)
    said = tools("topics", "--describe", "--topic", name)
    assert "PartitionCount: 3" in said and "max.message.bytes=100000" in said
    assert said.count("Leader: 1") == 3
    entity = ("--entity-type", "topics", "--entity-name", name)
    tools("configs", "--alter", *entity, "--add-config", "retention.bytes=1000000,cleanup.policy=[compact,delete]")
    tools("configs", "--alter", *entity, "--delete-config", "segment.bytes")
    found = settings(tools("configs", "--describe", *entity))
    assert found == {"max.message.bytes": "100000", "retention.bytes": "1000000", "cleanup.policy": "compact,delete"}
    every = settings(tools("configs", "--describe", "--all", *entity))
    assert every["segment.bytes"] == "1073741824" and every["min.insync.replicas"] == "1"
    tools("configs", "--describe", "--all", "--entity-type", "brokers", "--entity-name", 1)
    tools("topics", "--delete", "--topic", name)
    assert name not in tools("topics", "--list").split()


def test_groups_and_their_offsets(tools, name):
    tools("topics", "--create", "--topic", name, "--partitions", 2)
    tools.producer_perf("--topic", name, "--num-records", 400, "--record-size", 10)
    tools("verifiable-consumer", "--topic", name, "--group-id", name, "--max-messages", 400, "--reset-policy", "earliest")
    assert name in tools("groups", "--list").split()
    assert sum(offsets(tools, name).values()) == 400
    assert "Empty" in tools("groups", "--describe", "--group", name, "--state")
    tools("groups", "--describe", "--group", name, "--members", "--verbose")
    on = ("--group", name, "--topic", name)
    tools("groups", "--reset-offsets", "--to-earliest", *on, "--execute")
    assert offsets(tools, name) == {"0": 0, "1": 0}
    tools("groups", "--reset-offsets", "--shift-by", 2, "--group", name, "--topic", f"{name}:1", "--execute")
    assert offsets(tools, name) == {"0": 0, "1": 2}
    assert "Successful" in tools("groups", "--delete-offsets", "--group", name, "--topic", f"{name}:0")
    assert offsets(tools, name) == {"1": 2}
    tools("groups", "--delete", "--group", name)
    assert name not in tools("groups", "--list").split()


def offsets(tools, group) -> dict[str, int]:
    rows = (line.split() for line in tools("groups", "--describe", "--group", group).splitlines())
    return {row[2]: int(row[3]) for row in rows if row[:1] == [group] and row[3] != "-"}


def test_partitions_and_the_cluster(tools, name, tmp_path):
    tools("topics", "--create", "--topic", name, "--partitions", 1)
    tools.producer_perf("--topic", name, "--num-records", 100, "--record-size", 100)
    one = {"topic": name, "partition": 0}
    delete = file(tmp_path, "delete.json", partitions=[{**one, "offset": 30}])
    assert "low_watermark: 30" in tools("delete-records", "--offset-json-file", delete)
    assert f"{name}:0:30" in tools("get-offsets", "--topic", name, "--time", "earliest")
    assert f"{name}:0:100" in tools("get-offsets", "--topic", name)
    said = tools("log-dirs", "--describe", "--topic-list", name).splitlines()
    [broker] = json.loads(next(line for line in said if line.startswith("{")))["brokers"]
    [partition] = [p for d in broker["logDirs"] for p in d["partitions"]]
    assert partition["partition"] == f"{name}-0" and partition["size"] > 7_000
    elect = ("--election-type", "preferred", "--topic", name, "--partition", 0)
    assert "already elected" in tools("leader-election", *elect)
    stays = file(tmp_path, "stays.json", partitions=[{**one, "replicas": [1]}])
    tools("reassign", "--execute", "--reassignment-json-file", stays)
    assert "is completed" in tools("reassign", "--verify", "--reassignment-json-file", stays)
    assert "No partition reassignments found" in tools("reassign", "--list")
    assert "ProducerId" in tools("transactions", "describe-producers", "--topic", name, "--partition", 0)
    assert "OffsetDelete(47): 0" in tools.api_versions()
