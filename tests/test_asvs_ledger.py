"""docs/asvs.md tells the truth: made from the ledger and from the marks that stand in the tests today."""

from pathlib import Path

import pytest

from scripts.asvs import (
    CHAPTERS,
    LEDGER,
    PAGE,
    Mark,
    Row,
    collect_marks,
    find_problems,
    load_rows,
    marks_of_file,
    render,
)

OWED = {"html", "both", "ops", "code"}


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return load_rows()


@pytest.fixture(scope="module")
def marks() -> list[Mark]:
    return collect_marks()


def marks_in(tmp_path: Path, source: str) -> list[Mark]:
    file = tmp_path / "tests" / "test_it.py"
    file.parent.mkdir(exist_ok=True)
    file.write_text(source)
    return marks_of_file(file, tmp_path)


def test_every_mark_names_a_known_row(rows: list[Row], marks: list[Mark]) -> None:
    assert {mark.id for mark in marks} <= {row.id for row in rows}


def test_every_row_of_the_pages_and_of_operations_has_a_test_or_a_reason(rows: list[Row], marks: list[Mark]) -> None:
    proven = {mark.id for mark in marks}
    assert [row.id for row in rows if row.area in OWED and row.id not in proven and not row.not_yet] == []


def test_the_ledger_has_no_contradiction(rows: list[Row], marks: list[Mark]) -> None:
    assert find_problems(rows, marks) == []


def test_the_page_is_up_to_date(rows: list[Row], marks: list[Mark]) -> None:
    assert PAGE.read_text(encoding="utf-8") == render(rows, marks), "run `make asvs`"


def test_each_row_stands_once_and_in_order(rows: list[Row]) -> None:
    numbers = [tuple(map(int, row.id.split("."))) for row in rows]
    assert numbers == sorted(set(numbers))
    assert {row.chapter for row in rows} == set(CHAPTERS)
    assert {row.level for row in rows} == {1, 2, 3}
    assert {row.area for row in rows} == OWED | {"api", "google"}
    assert all(row.check for row in rows)


def test_marks_are_found_wherever_pytest_takes_them(tmp_path: Path) -> None:
    source = """
import pytest
pytestmark = [pytest.mark.asvs("1.1.1"), pytest.mark.slow]
CASES = [pytest.param(1, marks=pytest.mark.asvs("2.1.1")), 2]

@pytest.mark.asvs("3.1.1", "3.2.1")
def test_function(): ...

@pytest.mark.parametrize("x", CASES)
def test_cases(x): ...

@pytest.mark.asvs(*("3.3.1", "3.4.1"), "3.5.1")
def test_of_many(): ...

@pytest.mark.asvs("4.1.1")
class TestClass:
    pytestmark = pytest.mark.asvs("5.3.2")
    @pytest.mark.parametrize("x", [pytest.param(1, marks=[pytest.mark.asvs("6.1.1")])])
    async def test_method(self, x): ...
"""
    assert marks_in(tmp_path, source) == [
        Mark("1.1.1", "tests/test_it.py::test_function"),
        Mark("3.1.1", "tests/test_it.py::test_function"),
        Mark("3.2.1", "tests/test_it.py::test_function"),
        Mark("1.1.1", "tests/test_it.py::test_cases"),
        Mark("2.1.1", "tests/test_it.py::test_cases"),
        *(Mark(id_, "tests/test_it.py::test_of_many") for id_ in ("1.1.1", "3.3.1", "3.4.1", "3.5.1")),
        Mark("1.1.1", "tests/test_it.py::TestClass::test_method"),
        Mark("4.1.1", "tests/test_it.py::TestClass::test_method"),
        Mark("5.3.2", "tests/test_it.py::TestClass::test_method"),
        Mark("6.1.1", "tests/test_it.py::TestClass::test_method"),
    ]


@pytest.mark.parametrize(
    "source",
    [
        '@pytest.mark.asvs("1.1.1")\ndef helper(): ...',
        'CASES = [pytest.param(1, marks=pytest.mark.asvs("1.1.1"))]',
        "@pytest.mark.asvs(ROW)\ndef test_it(): ...",
        "@pytest.mark.asvs()\ndef test_it(): ...",
    ],
)
def test_a_mark_that_would_be_lost_is_refused(tmp_path: Path, source: str) -> None:
    with pytest.raises(ValueError, match=r"test_it\.py:\d"):
        marks_in(tmp_path, source)


def test_a_row_wants_either_a_test_or_a_reason() -> None:
    silent = Row("1.1.1", 1, "html", "try it", "")
    excused = Row("1.1.2", 1, "html", "try it", "comes later")
    assert "neither" in find_problems([silent], [])[0]
    assert "take the reason out" in find_problems([excused], [Mark("1.1.2", "t")])[0]
    assert "no row" in find_problems([], [Mark("9.9.9", "t")])[0]
    assert find_problems([silent, excused], [Mark("1.1.1", "t")]) == []


def test_the_ledger_holds_checks_of_ours_and_says_whose_the_ids_are() -> None:
    assert "CC BY-SA 4.0" in PAGE.read_text(encoding="utf-8")
    assert "Verify that" not in LEDGER.read_text(encoding="utf-8")
