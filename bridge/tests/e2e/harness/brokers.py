"""Real brokers, through the scripts in bridge/tests/brokers."""
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2] / "brokers"


class _Real:
    """A broker that ends with this object, or with the process that holds it."""
    script = ""

    def __init__(self, **env: str):
        self.dir = Path(tempfile.mkdtemp(prefix=f"standpipe-{self.script.split('.')[0]}-"))
        self.dir.chmod(0o755)  # RabbitMQ runs as nobody
        self._run = subprocess.Popen(
            [SCRIPTS / self.script, "run", self.dir], env={**os.environ, **env}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        line = self._run.stdout.readline()
        assert line.strip(), f"{self.script} did not start"
        self.port = int(line)

    @property
    def pid(self) -> int:
        return int((self.dir / "server.pid").read_text().split()[0])

    def stop(self):
        self._run.stdin.close()
        assert self._run.wait(60) == 0
        shutil.rmtree(self.dir)


class RealRabbit(_Real):
    script = "rabbitmq.sh"

    @property
    def amqp(self) -> str:
        return f"127.0.0.1:{self.port}"


class RealKafka(_Real):
    script = "kafka.sh"

    @property
    def kafka(self) -> str:
        return f"127.0.0.1:{self.port}"
