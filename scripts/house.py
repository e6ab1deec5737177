#!/usr/bin/env python3
"""Checks the rules of the house that no compiler checks, and names each breach.

Files of at most 500 lines; Rust functions of at most 70; no `todo!`, no
`unimplemented!`, no ignored test; no sleeping for a fixed time in tests; crates that
depend only the way the design allows; a core that opens no file and no socket.
"""
import json
import re
import subprocess
import sys
from pathlib import Path

from rust_source import blank_out, functions

ROOT = Path(__file__).resolve().parent.parent
FILE_LINES, FUNCTION_LINES = 500, 70
SOURCES = {".rs", ".py", ".sh", ".js", ".proto", ".md", ".toml"}
# A loop that asks again until a deadline pauses between two tries; such a function says so.
POLLERS = re.compile(r"^(until|eventually|wait|poll)(_|$)")
FORBIDDEN = [
    (re.compile(r"\b(todo|unimplemented)!"), "is not finished"),
    (re.compile(r"#\[ignore\b"), "is a test that nobody runs"),
]
# Core opens nothing; a frontend is handed a listener that somebody else has bound.
CORE_FORBIDDEN = re.compile(
    r"\bstd::(fs|net|process)\b|\btokio::(fs|process)\b|\btokio::net\b(?!::TcpListener;)|\bTcpListener::bind\b")


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT, check=True, capture_output=True, text=True).stdout
    paths = (ROOT / name for name in listed.split("\0") if name)
    return [p for p in paths if p.is_file() and (p.suffix in SOURCES or p.name == "Makefile")]


def check_rust(path: Path, text: str):
    code, is_test_file = blank_out(text), "tests" in path.relative_to(ROOT).parts
    for pattern, why in FORBIDDEN:
        for hit in pattern.finditer(code):
            yield line_of(code, hit.start()), f"`{hit.group()}` {why}"
    if path.is_relative_to(ROOT / "core" / "src"):
        for hit in CORE_FORBIDDEN.finditer(code):
            yield line_of(code, hit.start()), f"`{hit.group()}` in core, which opens nothing"
    found = functions(code)
    for f in found:
        if f.lines > FUNCTION_LINES:
            yield f.line, f"`{f.name}` has {f.lines} lines; the limit is {FUNCTION_LINES}"
    for hit in re.finditer(r"\bsleep\(", code):
        around = [f for f in found if f.start <= hit.start() < f.end]
        in_test = is_test_file or any(f.in_test for f in around)
        waits = any(POLLERS.match(f.name) or "start_paused" in f.attributes for f in around)
        if in_test and not waits:
            yield line_of(code, hit.start()), "a test sleeps; wait for the event, or pause the clock"


def check_python(path: Path, text: str):
    in_tests, name = "tests" in path.relative_to(ROOT).parts, ""
    for number, line in enumerate(text.splitlines(), 1):
        if start := re.match(r"\s*(?:async )?def (\w+)", line):
            name = start.group(1)
        if in_tests and re.search(r"\bsleep\(", line) and not POLLERS.match(name):
            yield number, "a test sleeps; poll with `until`"
        if in_tests and re.search(r"@pytest\.mark\.(skip|xfail)\b|pytest\.skip\(", line):
            yield number, "is a test that nobody runs"


def check_dependencies():
    """`bridge -> {adapters, plugins} -> core`, and the conformance kit in tests."""
    meta = json.loads(subprocess.run(
        ["cargo", "metadata", "--no-deps", "--format-version", "1", "--offline"],
        cwd=ROOT, check=True, capture_output=True, text=True).stdout)
    rooms = {p["name"]: Path(p["manifest_path"]).parent.relative_to(ROOT).parts[0]
             for p in meta["packages"]}
    allowed = {"core": set(), "adapters": {"core"}, "plugins": {"core"},
               "bridge": {"core", "adapters", "plugins"},
               "examples": {"core", "adapters", "plugins", "bridge"}}
    for package in meta["packages"]:
        room = rooms[package["name"]]
        for dep in package["dependencies"]:
            other = rooms.get(dep["name"])
            kit = dep["kind"] == "dev" and dep["name"] == "standpipe-conformance"
            if other and other not in allowed.get(room, set()) and not kit:
                yield f"{package['name']} depends on {dep['name']}: dependencies point at core"


def line_of(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def main() -> int:
    breaches, files = [], tracked()
    for path in files:
        text = path.read_text(encoding="utf-8")
        where = path.relative_to(ROOT)
        lines = text.count("\n")
        if lines > FILE_LINES and path.suffix not in {".md", ".toml", ".proto"}:
            breaches.append(f"{where}: {lines} lines; the limit is {FILE_LINES}")
        check = {".rs": check_rust, ".py": check_python}.get(path.suffix)
        breaches += [f"{where}:{n}: {why}" for n, why in check(path, text)] if check else []
    breaches += check_dependencies()
    for breach in breaches:
        print(breach)
    print(f"house: {len(files)} files, {len(breaches)} breaches", file=sys.stderr)
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
