"""An innocent client: 100 publishes a second, each of which must be confirmed within a second."""
import time

from clients.pika_client import PERSISTENT, connection

from .worker import Worker


class Bystander(Worker):
    def __init__(self, address: str, queue: str = "bystander"):
        super().__init__()
        self.address, self.queue = address, queue
        self.lost = ()  # losing its connection is a failure
        self.confirmed, self.slowest = 0, 0.0

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
                self.stopping.wait(max(0.0, 0.010 - took))

    def check(self):
        """Stops it, and says whether it noticed anything."""
        self.stop()
        assert self.confirmed > 0
        assert self.slowest < 1.0, f"a confirm took {self.slowest:.2f} s"
