"""What a broker spends, read from /proc, and how pairs of runs compare."""
import os
import statistics
from dataclasses import dataclass
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Run:
    rate: float         # messages per second, as the load tool counts them
    cpu_seconds: float  # of the broker, per million messages


def stat(pid: int) -> list[str]:
    """The fields behind the name, which may itself hold spaces: index 0 is the state."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()


def family(pid: int) -> set[int]:
    """The process and its living descendants."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int(stat(int(entry.name))[1])
            except OSError:
                pass  # ended meanwhile
    found, grew = {pid}, True
    while grew:
        more = {child for child, parent in parents.items() if parent in found} - found
        found, grew = found | more, bool(more)
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of the broker, its children, and those that have ended."""
    return sum(sum(map(int, stat(member)[11:15])) for member in family(pid)) / TICK


def peak_memory(pid: int) -> float:
    """MB, the sum over the family of each one's own peak."""
    def peak(member):
        lines = Path(f"/proc/{member}/status").read_text().splitlines()
        return next((int(x.split()[1]) for x in lines if x.startswith("VmHWM")), 0)
    return sum(map(peak, family(pid))) / 1_000


def spread(values: list[float], digits: int = 0) -> str:
    """`median [least..most]`"""
    return f"{statistics.median(values):,.{digits}f} [{min(values):,.{digits}f}..{max(values):,.{digits}f}]"


def ratios(ours: list[float], theirs: list[float]) -> list[float]:
    """Pair by pair, so that what slowed the machine down slowed both."""
    return [a / b for a, b in zip(ours, theirs) if b]
