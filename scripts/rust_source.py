"""Reads Rust source just far enough to find its functions and how long they are."""
import re
from dataclasses import dataclass

# Comments, strings (also raw and byte ones) and characters; a lone ' is a lifetime.
_NOT_CODE = re.compile(
    r"""//[^\n]*
      | /\*.*?\*/
      | b?c?r(?P<hashes>\#*)".*?"(?P=hashes)
      | b?c?"(?:\\.|[^"\\])*"
      | b?'(?:\\(?:x..|u\{[^}]*\}|.)|[^'\\\n])'""",
    re.VERBOSE | re.DOTALL,
)
_FN = re.compile(r"\bfn\s+(\w+)")
_TEST_MODULE = re.compile(r"#\[cfg\((?:all\()?test\b[^\]]*\]\s*(?:pub\s+)?mod\s+\w+\s*\{")


@dataclass
class Function:
    name: str
    line: int
    lines: int
    start: int
    end: int
    in_test: bool
    attributes: str


def blank_out(text: str) -> str:
    """The text with everything that is not code as blanks, every line and column kept."""
    def blanks(match: re.Match) -> str:
        return re.sub(r"[^\n]", " ", match.group())
    return _NOT_CODE.sub(blanks, text)


def functions(code: str) -> list[Function]:
    """Every function with a body, in the order of the file; `code` is blanked out."""
    tests = [(m.start(), _close(code, m.end() - 1)) for m in _TEST_MODULE.finditer(code)]
    found = []
    for match in _FN.finditer(code):
        opening = _body(code, match.end())
        if opening is None:
            continue
        end = _close(code, opening)
        head = _attributes(code, match.start())
        found.append(Function(
            name=match.group(1),
            line=code.count("\n", 0, match.start()) + 1,
            lines=code.count("\n", match.start(), end) + 1,
            start=match.start(), end=end,
            in_test="test" in head or any(a <= match.start() < b for a, b in tests),
            attributes=head,
        ))
    return found


def _attributes(code: str, at: int) -> str:
    """The attributes above the function whose `fn` is at `at`, and its own line so far."""
    *above, own = code[max(0, at - 2_000):at].split("\n")
    while above and (not above[-1].strip() or above[-1].lstrip().startswith("#[")):
        own = above.pop() + "\n" + own
    return own


def _body(code: str, at: int) -> int | None:
    """Where the body opens, or None for a declaration that ends with a semicolon."""
    depth = 0
    for i in range(at, len(code)):
        c = code[i]
        if c in "([":
            depth += 1
        elif c in ")]":
            depth -= 1
        elif c == "{" and depth == 0:
            return i
        elif c == ";" and depth == 0:
            return None
    return None


def _close(code: str, opening: int) -> int:
    depth = 0
    for match in re.compile(r"[{}]").finditer(code, opening):
        depth += 1 if match.group() == "{" else -1
        if depth == 0:
            return match.end()
    return len(code)
