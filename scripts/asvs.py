"""Write docs/asvs.md: each row of docs/asvs.csv beside the tests that carry its id, or the reason why not yet.

The marks `@pytest.mark.asvs("6.2.1", ...)` are read from the source, without importing a test. They may stand on a
function, on a class, in a `pytestmark`, or on a `pytest.param` (also one in a module-level list that a test's
decorator names). With --check the file is compared instead of written.
"""

import argparse
import ast
import csv
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
LEDGER = ROOT / "docs" / "asvs.csv"
PAGE = ROOT / "docs" / "asvs.md"
TESTS = ROOT / "tests"

CHAPTERS = {
    1: "Encoding and sanitization",
    2: "Validation and business logic",
    3: "Web front end",
    4: "HTTP and web services",
    5: "Files",
    6: "Authentication",
    7: "Sessions",
    8: "Authorization",
    9: "Self-contained tokens",
    10: "OAuth and OpenID Connect",
    11: "Cryptography",
    12: "Secure communication",
    13: "Configuration",
    14: "Data protection",
    15: "Secure coding and architecture",
    16: "Logging and error handling",
}

INTRO = """\
# What OWASP ASVS asks, and what answers

Written by `make asvs` from [asvs.csv](asvs.csv) and the marks in `tests/`; do not edit it by hand.

The ids are those of the OWASP Application Security Verification Standard 5.0.0 (CC BY-SA 4.0,
<https://github.com/OWASP/ASVS/tree/v5.0.0>), where the requirements themselves stand. The checks are our own wording
of what we try here. A row is met when a test carries its id and would fail without what meets it, and it is met for
the ways in that exist today: a new one adds its tests to the same rows. Rows that cannot apply to this site
are left out of the list.
"""


class Row(NamedTuple):
    """One requirement that applies here: `not_yet` is empty, or says why no test answers it."""

    id: str
    level: int
    area: str
    check: str
    not_yet: str

    @property
    def chapter(self) -> int:
        return int(self.id.split(".", 1)[0])


class Mark(NamedTuple):
    """One id on one test; `test` is file::name as pytest would take it."""

    id: str
    test: str


def load_rows(path: Path = LEDGER) -> list[Row]:
    """Return the rows of the ledger in its order."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Row(line["id"], int(line["level"]), line["area"], line["check"], line["not_yet"])
            for line in csv.DictReader(file)
        ]


def collect_marks(tests: Path = TESTS) -> list[Mark]:
    """Return every mark under `tests`, in the order of files and lines.

    Raises ValueError for a mark that no test carries, or whose ids are not written out: it would be lost silently.
    """
    return [mark for path in sorted(tests.rglob("*.py")) for mark in marks_of_file(path, tests.parent)]


def marks_of_file(path: Path, root: Path) -> list[Mark]:
    """Return the marks of one file; raises ValueError as collect_marks does."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    name = path.relative_to(root).as_posix()
    constants = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    carried: set[ast.Call] = set()
    marks = []
    for test, sources in _tests(tree, name, []):
        calls = {call: None for source in sources for call in _marks_in(source, constants)}
        carried.update(calls)
        marks += [Mark(id_, test) for id_ in dict.fromkeys(id_ for call in calls for id_ in _ids(call, name))]
    for call in _marks_in(tree, {}):
        if call not in carried:
            raise ValueError(f"{name}:{call.lineno}: no test carries this mark")
    return marks


def _tests(
    scope: ast.Module | ast.ClassDef, path: str, inherited: list[ast.expr]
) -> Iterator[tuple[str, list[ast.expr]]]:
    """Yield each test of `scope` as file::name, with the expressions that may hold marks for it."""
    inherited = inherited + [
        node.value
        for node in scope.body
        if isinstance(node, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id == "pytestmark" for target in node.targets)
    ]
    for node in scope.body:
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            yield from _tests(node, f"{path}::{node.name}", inherited + node.decorator_list)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
            yield f"{path}::{node.name}", inherited + node.decorator_list


def _marks_in(node: ast.AST, constants: dict[str, ast.expr]) -> Iterator[ast.Call]:
    """Yield the calls of pytest.mark.asvs below `node`, also in the module's constants that it names."""
    for child in ast.walk(node):
        if isinstance(child, ast.Call) and ast.unparse(child.func) == "pytest.mark.asvs":
            yield child
        elif isinstance(child, ast.Name) and child.id in constants:
            others = {name: value for name, value in constants.items() if name != child.id}
            yield from _marks_in(constants[child.id], others)


def _ids(call: ast.Call, path: str) -> list[str]:
    if not call.args or call.keywords:
        raise ValueError(f"{path}:{call.lineno}: a mark names its rows, as strings")
    args = [part for arg in call.args for part in _unpacked(arg)]
    ids = [arg.value for arg in args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
    if len(ids) != len(args):
        raise ValueError(f"{path}:{call.lineno}: write the ids of a mark out, as strings")
    return ids


def _unpacked(arg: ast.expr) -> list[ast.expr]:
    """A tuple that is spread over several lines of ids stands for what is in it."""
    if isinstance(arg, ast.Starred) and isinstance(arg.value, ast.Tuple | ast.List):
        return arg.value.elts
    return [arg]


def find_problems(rows: list[Row], marks: list[Mark]) -> list[str]:
    """Return what keeps the ledger from being true, one sentence each."""
    known = {row.id for row in rows}
    proven = {mark.id for mark in marks}
    problems = [f"{mark.test} names {mark.id}, which is no row" for mark in marks if mark.id not in known]
    for row in rows:
        if row.id in proven and row.not_yet:
            problems.append(f"row {row.id} has a test and a reason why not yet; take the reason out of the csv")
        elif row.id not in proven and not row.not_yet:
            problems.append(f"row {row.id} has neither a test nor a reason why not yet: {row.check}")
    return problems


def render(rows: list[Row], marks: list[Mark]) -> str:
    """Return the page."""
    tests: dict[str, list[str]] = {row.id: [] for row in rows}
    for mark in marks:
        tests[mark.id].append(mark.test)
    lines = [INTRO, *_summary(rows, tests)]
    for chapter, chapter_rows in groupby(rows, key=lambda row: row.chapter):
        lines += ["", f"## {chapter}. {CHAPTERS[chapter]}", "", "| row | level | check | answered by |"]
        lines += ["| --- | --- | --- | --- |"]
        lines += [f"| {row.id} | {row.level} | {_cell(row.check)} | {_answer(row, tests)} |" for row in chapter_rows]
    return "\n".join(lines) + "\n"


def _summary(rows: list[Row], tests: dict[str, list[str]]) -> Iterator[str]:
    yield from ("| level | rows | met | not yet |", "| --- | --- | --- | --- |")
    for label, levels in (("1", {1}), ("2", {2}), ("3", {3}), ("all", {1, 2, 3})):
        of_level = [row for row in rows if row.level in levels]
        met = sum(bool(tests[row.id]) for row in of_level)
        yield f"| {label} | {len(of_level)} | {met} | {len(of_level) - met} |"


def _answer(row: Row, tests: dict[str, list[str]]) -> str:
    if tests[row.id]:
        return "<br>".join(f"`{test}`" for test in tests[row.id])
    return f"not yet, because: {_cell(row.not_yet)}"


def _cell(text: str) -> str:
    """Return `text` as it shows literally in a table of Markdown."""
    for sign in ("\\", "|", "<", "*", "_", "`"):
        text = text.replace(sign, "&lt;" if sign == "<" else f"\\{sign}")
    return text.replace("&amp;", "&amp;amp;")


def main(argv: list[str] | None = None) -> int:
    """Write the page, or with --check compare it; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare docs/asvs.md instead of writing it")
    check = parser.parse_args(argv).check
    try:
        rows, marks = load_rows(), collect_marks()
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    if problems := find_problems(rows, marks):
        print(*problems, f"{len(problems)} problems; docs/asvs.md left as it is", sep="\n", file=sys.stderr)
        return 1
    page = render(rows, marks)
    if not check:
        PAGE.write_text(page, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page:
        print("docs/asvs.md is out of date: run `make asvs`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
