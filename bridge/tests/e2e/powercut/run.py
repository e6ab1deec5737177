"""A broker whose every change on disk is recorded, on what says that it is a small disk."""
import os
import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Iterator

from pika.exceptions import AMQPError

from clients.pika_client import connection
from harness import Standpipe

from . import record
from .model import Disk
from .record import Kind, Record

TOTAL = 16 << 20  # journal files of 1 MiB then, 4 MiB of them
NEVER = 1 << 63


def opens(broker: Standpipe):
    """Starts it, and waits until its store is open: it listens before that, and answers then."""
    try:
        with connection(broker.start().amqp):
            return
    except (OSError, RuntimeError, AMQPError) as error:
        raise AssertionError(f"the store does not open: {broker.tail()}") from error


@dataclass(frozen=True)
class Cut:
    """The power fails behind so many records, before the next call at `time`."""
    index: int
    of: int
    time: int
    behind: Record
    disk: Disk

    def __str__(self) -> str:
        return f"cut {self.index} of {self.of}, behind {self.behind.kind.name} of inode {self.behind.inode}"


class Recorded:
    """Serves `directory`/data, of which what is there before counts as durable, by one process or several behind
    one another. `grows`: no file gets its space ahead."""

    def __init__(self, library: Path, directory: Path, grows: bool = False):
        self.directory, self.trace = directory, directory.with_name(directory.name + ".trace")
        self.directory.mkdir(exist_ok=True)
        self._base, self._whole = Disk(directory), Disk(directory)
        env = record.environment(library, directory, self.trace, TOTAL, grows)
        self.broker = Standpipe(directory.with_name(directory.name + ".log"), data=directory / "data", env=env)
        self.records: list[Record] = []
        self._reopened = 0

    def ended(self):
        """Reads what a process left; fails where that does not make the files that are there."""
        self._reopened = len(self.records)
        self.records += record.read(self.trace, self.records[-1].place + 1 if self.records else 0)
        for entry in self.records[self._reopened:]:
            self._whole.take(entry)
        differs, last = self._difference(), self.records[-1]
        if differs and last.result == record.NO_RESULT:  # killed within the call, which may have been done
            self.records[-1] = replace(last, result=self._reached(last, self.directory / differs[0]))
            self._whole.take(self.records[-1])
            differs = self._difference()
        assert not differs, f"{self.trace}: the records make other files than there are: {differs}"

    def _reached(self, last: Record, file: Path) -> int:
        """How much of a write was done; the system may end a large one half-way."""
        if last.kind != Kind.WRITE:
            return 0
        return len(os.path.commonprefix([file.read_bytes()[last.at:last.at + len(last.data)], last.data]))

    def _difference(self) -> list[str]:
        paths = [path for path in self.directory.rglob("*") if path.is_file()]
        real = {str(path.relative_to(self.directory)): path.read_bytes() for path in paths}
        made = self._whole.seen()
        return sorted(name for name in real | made if real.get(name) != made.get(name))

    def cuts(self, count: int, rng: random.Random) -> Iterator[Cut]:
        """So many cuts in the order of the records."""
        taken, of = 0, len(self.records)
        for index in sorted(self._chosen(number % 4, rng) for number in range(count)):
            for entry in self.records[taken:index + 1]:
                self._base.take(entry)
            taken = index + 1
            time = self.records[taken].began if taken < of else NEVER
            yield Cut(index, of, time, self.records[index], self._base)

    def _chosen(self, way: int, rng: random.Random) -> int:
        """Just behind or before a sync's end, soon after files come or go or give back space, in the last process,
        or anywhere."""
        kinds = ({Kind.SYNCED}, {Kind.CREATE, Kind.UNLINK, Kind.RENAME, Kind.PUNCH}, set(Kind), set(Kind))[way]
        places = [at for at, entry in enumerate(self.records) if entry.kind in kinds]
        if way == 2:
            places = places[self._reopened:]
        at = rng.choice(places) + (-rng.randint(0, 1), rng.randint(0, 12), 0, 0)[way]
        return min(max(at, 0), len(self.records) - 1)
