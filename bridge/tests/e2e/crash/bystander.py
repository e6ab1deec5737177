"""An innocent client: 100 publishes a second, each of which must be confirmed within a second, where the machine
lets this process run."""
import time

from clients.pika_client import PERSISTENT, connection

from .worker import Worker


class Bystander(Worker):
    def __init__(self, address: str, queue: str = "bystander"):
        super().__init__()
        self.address, self.queue = address, queue
        self.lost = ()  # losing its connection is a failure
        self.confirmed, self.slowest, self.overslept = 0, 0.0, 0.0

    def session(self):
        with connection(self.address) as conn:
            ch = conn.channel()
            ch.queue_declare(self.queue, durable=True)
            ch.confirm_delivery()
            while not self.stopping.is_set():
                began = time.monotonic()
                ch.basic_publish("", self.queue, b"x", PERSISTENT, mandatory=True)
                took = time.monotonic() - began
                self.confirmed, self.slowest = self.confirmed + 1, max(self.slowest, took)
                self.rest(max(0.0, 0.010 - took))

    def rest(self, seconds: float):
        began = time.monotonic()
        self.stopping.wait(seconds)
        self.overslept = max(self.overslept, time.monotonic() - began - seconds)

    def check(self):
        """Stops it, and says whether it noticed anything."""
        self.stop()
        assert self.confirmed > 0
        # Whoever sleeps so much longer than asked waits as much longer for a thread, an answer and another thread.
        allowed = 1.0 + 3 * self.overslept
        assert self.slowest < allowed, f"a confirm took {self.slowest:.2f} s of {allowed:.2f}"
