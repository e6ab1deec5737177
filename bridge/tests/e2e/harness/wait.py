"""Waiting for an event: the only place where a test pauses."""
import time
from typing import Callable, TypeVar

T = TypeVar("T")


def until(what: str, ask: Callable[[], T], seconds: float = 20, every: float = 0.02) -> T:
    """Asks until the answer is true, and returns it; fails with `what` at the deadline.

    An assertion that fails inside `ask` counts as "not yet", and is shown at the end.
    """
    deadline, last = time.monotonic() + seconds, None
    while True:
        try:
            if answer := ask():
                return answer
            last = None
        except AssertionError as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}") from last
        time.sleep(every)
