"""Kafka's command-line tools, all in one JVM: starting one takes longer than what it is asked."""
import os
import subprocess
from pathlib import Path

CACHE = Path(os.environ.get("STANDPIPE_CACHE", Path.home() / ".cache" / "standpipe"))
QUIET = Path(__file__).resolve().parents[2] / "brokers"
NAMES = {
    "topics": "org.apache.kafka.tools.TopicCommand",
    "configs": "kafka.admin.ConfigCommand",
    "groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
    "log-dirs": "org.apache.kafka.tools.LogDirsCommand",
    "get-offsets": "org.apache.kafka.tools.GetOffsetShell",
    "leader-election": "org.apache.kafka.tools.LeaderElectionCommand",
    "reassign": "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
    "transactions": "org.apache.kafka.tools.TransactionsCommand",
    "verifiable-consumer": "org.apache.kafka.tools.VerifiableConsumer",
}
PRODUCER_PERF = "org.apache.kafka.tools.ProducerPerformance"
API_VERSIONS = {"3": "kafka.admin.BrokerApiVersionsCommand", "4": "org.apache.kafka.tools.BrokerApiVersionsCommand"}


class JavaTools:
    """Tools of one version of Kafka against one broker."""

    def __init__(self, bootstrap: str, version: str):
        self.bootstrap, self.version = bootstrap, version
        self._java = subprocess.Popen(
            ["java", "-Xmx192m", "-XX:TieredStopAtLevel=1", "-cp", f"{CACHE}/jars/kafka-{version}/*",
             f"-Dlog4j2.configurationFile={QUIET}/log4j2.properties",
             f"-Dlog4j.configuration=file:{QUIET}/log4j.properties", Path(__file__).with_name("java") / "Tools.java"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __call__(self, tool: str, *args) -> str:
        """What a tool prints; it must end with 0."""
        return self.run(NAMES[tool], "--bootstrap-server", self.bootstrap, *args)

    def api_versions(self) -> str:
        return self.run(API_VERSIONS[self.version[0]], "--bootstrap-server", self.bootstrap)

    def producer_perf(self, *args) -> str:
        """Small batches, so that each partition gets some."""
        props = (f"bootstrap.servers={self.bootstrap}", "acks=all", "batch.size=100")
        return self.run(PRODUCER_PERF, *args, "--throughput", -1, "--producer-props", *props)

    def run(self, *words) -> str:
        self._java.stdin.write("\t".join(map(str, words)).encode() + b"\n")
        self._java.stdin.flush()
        head = self._java.stdout.readline().split()
        assert head, f"the JVM ended with {self._java.wait(10)}"
        code, octets = map(int, head)
        said = self._java.stdout.read(octets).decode()
        assert code == 0, f"{words}: {code}\n{said}"
        return said

    def close(self):
        self._java.stdin.close()
        try:
            assert self._java.wait(30) == 0
        finally:
            self._java.kill()
