"""docs/fuzzing.md names every parser and the test that tries it."""

import re

from tests.asvs.documents import names, table
from tests.source import ROOT

FUZZING = ROOT / "docs" / "fuzzing.md"
SECURITY = ROOT / "docs" / "security.md"


def test_every_row_names_files_and_tests_that_there_are() -> None:
    rows = table(FUZZING, "Parsers of what comes from outside")
    assert len(rows) > 15
    for row in rows:
        assert all((ROOT / "webapp" / place).is_file() for place in names(row["where"])), row["parser"]
        for test in names(row["test"]):
            file, _, name = test.partition("::")
            assert re.search(rf"^def {name}\b", (ROOT / "tests" / file).read_text(encoding="utf-8"), re.M), test


def test_whatever_reads_json_or_msgpack_is_tried() -> None:
    tried = {place for row in table(FUZZING, "Parsers of what comes from outside") for place in names(row["where"])}
    (row,) = (row for row in table(SECURITY, "Dangerous functions") if row["what"] == "deserialization")
    assert set(names(row["where"])) <= tried
