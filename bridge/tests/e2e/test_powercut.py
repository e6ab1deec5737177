"""Confirmed means on the disk: the real program's writes are recorded, and the power fails at any of them.

E2E_SEED chooses the cuts and what they leave; what the threads write differs from run to run. So a failing run
says which directory it is, which stays as the cut left it.
"""
import contextlib
import os
import random
import shutil
from pathlib import Path

import pytest

from powercut import Cut, Disk, Kind, Load, Record, Recorded, build, judged, opens

CUTS = int(os.environ.get("E2E_CUTS", 8))
SEED = int(os.environ.get("E2E_SEED", 0)) or random.SystemRandom().randrange(1, 1 << 32)


class PowerCuts:
    """One recorded life of a broker, and what became of it at each cut."""

    def __init__(self, folder: Path, rng: random.Random):
        self.rng, self.folder, self.library = rng, folder, build(folder)
        self.said: list[str] = []
        self.cut_again = 0

    def recorded(self, directory: Path, life: str) -> tuple[Recorded, list[Load]]:
        """A broker under load until what left its journal has begun to move, and often another on the same files."""
        run = Recorded(self.library, directory, grows=self.rng.random() < 0.25)
        before = segments(run.broker.data)
        with self.ends(run):
            load = Load(run.broker.start(), self.rng, life)
            trims = self.rng.random() < 0.5  # that takes some seconds
            load.runs_until(lambda: (load.is_trimmed() or not trims) and len(segments(run.broker.data) - before) > 1)
            load.stop()
        loads = [load]
        if self.rng.random() < 0.7:  # it finds things that are in the system's memory and not on the disk
            with self.ends(run):
                opens(run.broker)
                load.looks_again(run.broker)
                if self.rng.random() < 0.5:
                    loads.append(Load(run.broker, self.rng, f"{life}-again"))
                    loads[1].runs_until(lambda: True)
                    loads[1].stop()
        self.says(f"{life}: {len(run.records)} records, confirms {[load.confirms() for load in loads]}")
        return run, loads

    @contextlib.contextmanager
    def ends(self, run: Recorded):
        """Kills the process, or stops it, whatever comes."""
        try:
            yield
            if self.rng.random() < 0.3:
                run.broker.stop()
        finally:
            if run.broker.alive():
                run.broker.kill()
        run.ended()

    def left_by(self, cut: Cut, name: str) -> Path:
        self.says(str(cut))
        left = self.folder / name
        cut.disk.cut(self.rng, left)
        return left

    def cut_while_it_recovers(self, left: Path) -> Path:
        """Starts the broker on what a cut left, and cuts that short too."""
        again = Recorded(self.library, shutil.copytree(left, left.with_name(f"{left.name}-opened")))
        with self.ends(again):
            opens(again.broker)
        return self.left_instead(left, next(again.cuts(1, self.rng)))

    def cut_in_another_life(self, left: Path, promises: list) -> Path:
        """The same under load: clients of other names, who are promised something too."""
        run, loads = self.recorded(shutil.copytree(left, left.with_name(f"{left.name}-lived")), "second")
        cut = next(run.cuts(1, self.rng))
        promises += [(load, cut.time) for load in loads]
        return self.left_instead(left, cut)

    def left_instead(self, before: Path, cut: Cut) -> Path:
        left, self.cut_again = self.left_by(cut, f"{before.name}-again"), self.cut_again + 1
        shutil.rmtree(before)
        return left

    def says(self, what: str):
        self.said.append(what)


def segments(data: Path) -> set[str]:
    return {path.name for path in data.glob("*.segment")}


@pytest.mark.timeout(60 + 10 * CUTS)
def test_what_was_confirmed_survives_power_cuts(tmp_path):
    print(f"E2E_SEED={SEED} E2E_CUTS={CUTS}")
    cuts = PowerCuts(tmp_path, random.Random(SEED))
    run, loads = cuts.recorded(tmp_path / "disk", "first")
    print(*cuts.said)
    for number, cut in enumerate(run.cuts(CUTS, cuts.rng)):
        cuts.said = []
        left, promises = cuts.left_by(cut, f"cut-{number}"), [(load, cut.time) for load in loads]
        try:
            for _ in range(cuts.rng.choice([0, 0, 1, 2])):
                left = cuts.cut_while_it_recovers(left)
            if number % 8 == 5:
                left = cuts.cut_in_another_life(left, promises)
            judged(left, promises)
        except Exception as error:
            raise AssertionError(f"E2E_SEED={SEED}, {', then '.join(cuts.said)}, in {left}: {error}") from error
        shutil.rmtree(left)
    print(f"{CUTS} cuts, {cuts.cut_again} cuts behind them")
    shutil.rmtree(tmp_path)  # the records are large


def test_a_cut_keeps_what_was_synced_and_any_part_of_the_rest(tmp_path):
    (tmp_path / "empty").mkdir()
    disk, root, kept, young = Disk(tmp_path / "empty"), 1, 2, 3
    for place, (kind, inode, at, data) in enumerate([
            (Kind.OPEN, root, 0, b""), (Kind.CREATE, kept, 0, b"kept"), (Kind.WRITE, kept, 0, b"a" * 1_000),
            (Kind.SYNC_BEGUN, kept, 0, b""), (Kind.WRITE, kept, 500, b"b" * 1_000), (Kind.SYNCED, kept, 3, b""),
            (Kind.SYNC_BEGUN, root, 0, b""), (Kind.SYNCED, root, 6, b""),
            (Kind.CREATE, young, 0, b"young"), (Kind.WRITE, young, 0, b"c"),
            (Kind.SYNC_BEGUN, young, 0, b""), (Kind.SYNCED, young, 10, b"")]):
        disk.take(Record(kind, place, place, inode, at, len(data), len(data), data))
    left = []
    for seed in range(200):
        disk.cut(random.Random(seed), tmp_path / str(seed))
        left.append({path.name: path.read_bytes() for path in (tmp_path / str(seed)).iterdir()})
    assert all(files["kept"].startswith(b"a" * 500) for files in left), "written before the sync began"
    ends = {files["kept"][500:] for files in left}
    assert {b"a" * 500, b"b" * 1_000, b"a" * 500 + bytes(500)} <= ends, "all, nothing, or the size alone"
    assert len(ends) > 20, "sectors by themselves, and torn"
    assert {files.get("young") for files in left} == {None, b"c"}, "a name of which no directory was synced"
