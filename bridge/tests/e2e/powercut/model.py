"""A disk that forgets: what a power cut may leave of a recorded run, as POSIX allows and not better.

What a file holds is durable once a sync of it returned that began behind the write; a name is once its
directory was synced. Of all else any part may be there: each 512 octets of a write by themselves, torn
anywhere, with or without the size; each name by itself.
"""
import random
from dataclasses import dataclass, field, replace
from pathlib import Path

from .record import Kind, Record

SECTOR = 512
GONE = None


@dataclass(eq=False)
class File:
    durable: bytearray = field(default_factory=bytearray)
    pending: list[Record] = field(default_factory=list)

    def sync(self, before: int):
        """Makes durable what was done before that place in the log."""
        for change in self.pending:
            if change.place < before:
                apply(self.durable, change)
        self.pending = [change for change in self.pending if change.place >= before]

    def seen(self) -> bytes:
        """As a reader sees it."""
        octets = bytearray(self.durable)
        for change in self.pending:
            apply(octets, change)
        return bytes(octets)

    def left(self, rng: random.Random) -> bytes:
        """As a power cut leaves it: sizes as of some moment, and of the octets any part."""
        octets, size = bytearray(self.durable), len(self.durable)
        sized = rng.choice([0, len(self.pending), rng.randint(0, len(self.pending))])
        keep = rng.choice([0.0, 1.0, rng.random()])
        for number, change in enumerate(self.pending):
            if change.kind == Kind.WRITE:
                put_some(octets, change, keep, rng)
            elif change.kind != Kind.PUNCH and number < sized or change.kind == Kind.PUNCH and rng.random() < keep:
                apply(octets, change)
            if number < sized:
                size = size_after(size, change)
        if size > len(self.durable) and rng.random() < 0.3:
            size = rng.randint(len(self.durable), size)
        return bytes(octets[:size].ljust(size, b"\0"))


@dataclass(eq=False)
class Directory:
    durable: dict[str, object] = field(default_factory=dict)
    names: dict[str, object] = field(default_factory=dict)
    pending: list[tuple[int, dict]] = field(default_factory=list)

    def change(self, place: int, names: dict):
        """Names that get another meaning together."""
        self.pending.append((place, names))
        rename(self.names, names)

    def sync(self, before: int):
        for place, names in self.pending:
            if place < before:
                rename(self.durable, names)
        self.pending = [change for change in self.pending if change[0] >= before]

    def left(self, rng: random.Random) -> dict:
        names, keep = dict(self.durable), rng.choice([0.0, 1.0, rng.random()])
        for _, change in self.pending:
            if rng.random() < keep:
                rename(names, change)
        return names


def rename(names: dict, change: dict):
    for name, node in change.items():
        if node is GONE:
            names.pop(name, None)
        else:
            names[name] = node


def size_after(size: int, change: Record) -> int:
    match change.kind:
        case Kind.SIZE: return change.length
        case Kind.WRITE: return max(size, change.at + change.result)
        case Kind.ALLOCATE: return max(size, change.at + change.length)
    return size


def apply(octets: bytearray, change: Record):
    """All of a change."""
    size = size_after(len(octets), change)
    del octets[size:]
    octets.extend(bytes(size - len(octets)))
    if change.kind == Kind.WRITE:
        octets[change.at:change.at + change.result] = change.data[:change.result]
    if change.kind == Kind.PUNCH:
        end = min(change.at + change.length, size)
        octets[change.at:end] = bytes(max(end - change.at, 0))


def put_some(octets: bytearray, change: Record, keep: float, rng: random.Random):
    """Each sector of a write by itself, and some of them not to their end."""
    end, at = change.at + change.result, change.at
    octets.extend(bytes(max(end - len(octets), 0)))
    while at < end:
        to = min(at - at % SECTOR + SECTOR, end)
        if rng.random() < keep:
            torn = rng.randint(at, to) if keep < 1.0 and rng.random() < 0.06 else to
            octets[at:torn] = change.data[at - change.at:torn - change.at]
        at = to


class Disk:
    """The files below a directory, of which `base` is there, and durable, when the recording begins."""

    def __init__(self, base: Path):
        self.root, self.inodes = Directory(), {}
        self._load(self.root, base)

    def _load(self, node: Directory, path: Path):
        for entry in path.iterdir():
            inner = Directory() if entry.is_dir() else File(bytearray(entry.read_bytes()))
            node.durable[entry.name] = node.names[entry.name] = inner
            if entry.is_dir():
                self._load(inner, entry)

    def at(self, path: str):
        node = self.root
        for part in filter(None, path.split("/")):
            node = node.names[part]
        return node

    def _name(self, record: Record, path: str, node):
        above, _, name = path.rpartition("/")
        self.at(above).change(record.place, {name: node})

    def take(self, record: Record):
        """One record; what failed, or was not answered, did nothing."""
        if not record.worked:
            return
        match record.kind:
            case Kind.CREATE | Kind.MKDIR:
                node = self.inodes[record.inode] = File() if record.kind == Kind.CREATE else Directory()
                self._name(record, record.path, node)
            case Kind.OPEN:
                node = self.inodes[record.inode] = self.at(record.path)
                if record.at:  # O_TRUNC
                    node.pending.append(replace(record, kind=Kind.SIZE, at=0, length=0))
            case Kind.UNLINK:
                self._name(record, record.path, GONE)
            case Kind.RENAME:
                self._rename(record)
            case Kind.SYNCED:
                self.inodes[record.inode].sync(record.at)
            case Kind.WRITE | Kind.SIZE | Kind.PUNCH | Kind.ALLOCATE:
                self.inodes[record.inode].pending.append(record)

    def _rename(self, record: Record):
        old, new = (path.rpartition("/") for path in record.path.split("\0"))
        assert old[0] == new[0], f"a rename from directory to directory: {record.path}"
        above = self.at(old[0])
        above.change(record.place, {old[2]: GONE, new[2]: above.names[old[2]]})

    def seen(self, node: Directory | None = None, path: str = "") -> dict[str, bytes]:
        """Every file as a reader sees it."""
        found = {}
        for name, inner in (node or self.root).names.items():
            if isinstance(inner, Directory):
                found |= self.seen(inner, f"{path}{name}/")
            else:
                found[path + name] = inner.seen()
        return found

    def cut(self, rng: random.Random, into: Path, node: Directory | None = None):
        """Lays what a power cut leaves into a directory."""
        into.mkdir()
        for name, inner in sorted((node or self.root).left(rng).items()):
            if isinstance(inner, Directory):
                self.cut(rng, into / name, inner)
            else:
                (into / name).write_bytes(inner.left(rng))
