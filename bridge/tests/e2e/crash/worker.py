"""A client in a thread of its own, that starts over whenever the broker is gone."""
import threading
import traceback


class Worker(threading.Thread):
    """Calls `session` again and again until stopped; a lost broker ends a session, and no more."""
    lost: tuple[type[BaseException], ...] = (OSError,)

    def __init__(self):
        super().__init__(daemon=True, name=type(self).__name__)
        self.stopping = threading.Event()
        self.failure: str | None = None
        self.sessions = 0

    def session(self):
        raise NotImplementedError

    def run(self):
        while not self.stopping.is_set():
            try:
                self.session()
                self.sessions += 1
            except self.lost:
                self.stopping.wait(0.02)
            except BaseException:
                self.failure = traceback.format_exc()
                return

    def stop(self, seconds: float = 90):
        self.stopping.set()
        self.join(seconds)
        assert not self.is_alive(), f"{self.name} hangs"
        assert self.failure is None, self.failure
