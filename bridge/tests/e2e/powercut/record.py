"""What the recorder wrote: every change of a directory, in the order of the effects."""
import mmap
import struct
import subprocess
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

SOURCE = Path(__file__).with_name("recorder.c")
HEAD = struct.Struct("=IIQQQQq")
NO_RESULT = -(1 << 63)


class Kind(IntEnum):
    """As in recorder.c."""
    CREATE = 1
    OPEN = 2
    MKDIR = 3
    UNLINK = 4
    RENAME = 5
    WRITE = 6
    SIZE = 7
    PUNCH = 8
    ALLOCATE = 9
    SYNC_BEGUN = 10
    SYNCED = 11
    UNKNOWN = 12


@dataclass(frozen=True, slots=True)
class Record:
    kind: Kind
    place: int      # of the record in the log
    began: int      # ns of CLOCK_MONOTONIC
    inode: int
    at: int
    length: int
    result: int     # NO_RESULT where the process ended before
    data: bytes

    @property
    def path(self) -> str:
        return self.data.decode()

    @property
    def worked(self) -> bool:
        return self.result >= 0


def build(into: Path) -> Path:
    """Compiles the recorder."""
    library = into / "recorder.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", library, SOURCE, "-ldl"], check=True)
    return library


def environment(library: Path, directory: Path, log: Path, total: int, grows: bool) -> dict[str, str]:
    """What lets a process be recorded, on a disk of so many octets; `grows`: on one without fallocate."""
    return {"LD_PRELOAD": str(library), "POWERCUT_DIR": str(directory), "POWERCUT_LOG": str(log),
            "POWERCUT_TOTAL": str(total), **({"POWERCUT_GROWS": "1"} if grows else {})}


def read(log: Path, behind: int) -> list[Record]:
    """All records, their places behind those of processes before; fails on a call that has no meaning here."""
    with open(log, "rb") as file:
        end = int.from_bytes(file.read(8), "little")
        octets = mmap.mmap(file.fileno(), end, access=mmap.ACCESS_READ)
    records, place = [], 8
    while place < end:
        kind, size, began, inode, at, length, result = HEAD.unpack_from(octets, place)
        data = octets[place + HEAD.size:place + HEAD.size + size]
        assert kind != Kind.UNKNOWN, f"the recorder has to be taught this call: {data.decode()}"
        at += behind if kind == Kind.SYNCED else 0
        records.append(Record(Kind(kind), behind + place, began, inode, at, length, result, data))
        place += HEAD.size + (size + 7) // 8 * 8
    octets.close()
    return records
