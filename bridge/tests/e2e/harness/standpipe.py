"""Standpipe's own binary as a child process."""
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from .ports import free_port
from .wait import until

LISTENERS = ("amqp", "kafka", "grpc", "native")


def standpipe_bin() -> str:
    """The binary under test: STANDPIPE_BIN, else the newest that cargo built."""
    if given := os.environ.get("STANDPIPE_BIN"):
        assert Path(given).is_file(), f"STANDPIPE_BIN={given} does not exist; run `cargo build --release`"
        return given
    cache = os.environ.get("STANDPIPE_CACHE", Path.home() / ".cache" / "standpipe")
    root = Path(__file__).resolve().parents[4]
    targets = [os.environ.get("CARGO_TARGET_DIR"), Path(cache) / "target", root / "target"]
    built = [Path(t) / profile / "standpipe" for t in targets if t for profile in ("release", "debug")]
    found = sorted((b for b in built if b.is_file()), key=lambda b: b.stat().st_mtime)
    assert found, "no standpipe binary; run `cargo build --release`, or set STANDPIPE_BIN"
    return str(found[-1])


def accepts(address: str) -> bool:
    host, port = address.rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
        return True
    except OSError:
        return False


class Standpipe:
    """`standpipe serve`, in memory, or with `data` and ports that stay the same over restarts."""

    def __init__(self, log: Path, data: Path | None = None, config: Path | None = None, args=(), env=None):
        self.log, self.data, self.config = log, data, config
        self.args, self.env = list(args), {**os.environ, "RUST_LOG": "info", **(env or {})}
        self.address = {name: f"127.0.0.1:{free_port()}" for name in LISTENERS} if data else {}
        self.process: subprocess.Popen | None = None

    def __getattr__(self, name: str) -> str:
        """`broker.amqp` is the HOST:PORT of that listener."""
        if name in LISTENERS:
            return self.__dict__["address"][name]
        raise AttributeError(name)

    def command(self) -> list[str]:
        command = [standpipe_bin(), "serve", *self.args]
        if self.config:
            command += ["--config", str(self.config)]
        if not self.data:
            return command + ["--ephemeral"]
        command += ["--data", str(self.data)]
        return command + [w for name, at in self.address.items() for w in (f"--{name}", at)]

    def launch(self) -> "Standpipe":
        """Starts the process, and waits for nothing."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        return self

    def start(self) -> "Standpipe":
        self.launch()
        if self.data:
            self.wait_ready()
        else:
            line = self.process.stdout.readline()
            assert line, f"serve ended with {self.process.wait()}: {self.tail()}"
            self.address = {k: v for k, v in json.loads(line).items() if k in LISTENERS}
        return self

    def wait_ready(self) -> float:
        """Seconds until every listener accepts, counted from now."""
        began = time.monotonic()

        def ready():
            if self.process.poll() is not None:
                raise RuntimeError(f"serve ended with {self.process.returncode}: {self.tail()}")
            return all(accepts(at) for at in self.address.values())
        until("serve listens", ready, every=0.002)
        return time.monotonic() - began

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-2_000:]

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """SIGKILL: what a crash is to the processes around it."""
        self.process.kill()
        self.process.wait()
        self._close_pipes()
        self._check_log()

    def stop(self):
        """SIGTERM, which must end it with 0."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        self._close_pipes()
        self.process = None
        assert code == 0, f"serve ended with {code} on SIGTERM: {self.tail()}"
        self._check_log()

    def _check_log(self):
        """Whatever a test asked for: a panic is a bug, though it ends one task only."""
        panics = [line for line in self.log.read_text(errors="replace").splitlines() if " panicked at " in line]
        assert not panics, panics[:3]

    def _close_pipes(self):
        self.process.stdin.close()
        self.process.stdout.close()

    def run(self, *args, stdin: bytes | None = b"", seconds: float = 60) -> subprocess.CompletedProcess:
        """Runs another subcommand of the same binary, such as `topic list`."""
        return subprocess.run([standpipe_bin(), *map(str, args)], input=stdin, capture_output=True,
                              timeout=seconds, env=self.env)

    def url(self, scheme: str, topic: str, **options) -> str:
        """The address of a topic for the command line, in one of the four schemes."""
        name = {"standpipe": "native"}.get(scheme, scheme)
        at = self.address[name]
        if scheme == "amqp":
            options = {"queue": topic, **options}
            at, topic = f"guest:guest@{at}", "%2f"
        query = "&".join(f"{k}={v}" for k, v in options.items())
        return f"{scheme}://{at}/{topic}" + (f"?{query}" if query else "")
