"""The table of the fault runs is put together from parts that ran at different times."""

from pathlib import Path

import pytest

from tests.simulation import parts
from tests.simulation.counts import Counts
from tests.simulation.report import BEGIN, END, Row, load_rows, save_rows, table, write_into

ROWS = [
    Row("chaos, 51 seeds: Close Provisioner", 3_570, None, 9_000, Counts(), 0),
    Row("chaos, 3 seeds: baseline handler", 180, None, 300, Counts(duplicates=40), None),
]


def test_a_part_is_read_as_it_was_saved(tmp_path: Path) -> None:
    save_rows(tmp_path / "faults" / "chaos.json", ROWS)

    assert load_rows(tmp_path / "faults" / "chaos.json") == ROWS
    assert load_rows(tmp_path / "faults" / "matrix.json") == []


def test_only_a_row_of_this_service_can_be_bad() -> None:
    assert all(each.is_good for each in ROWS)
    assert not Row("ours", 1, 1, 1, Counts(), 1).is_good
    assert not Row("ours", 1, 1, 1, Counts(lost=1), 0).is_good


def test_the_table_goes_between_the_marks_of_a_document(tmp_path: Path) -> None:
    document = tmp_path / "faults.md"
    document.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")

    assert write_into(document, table(ROWS))

    lines = document.read_text().splitlines()
    assert [lines[0], lines[-1]] == ["before", "after"]
    assert "old" not in lines
    assert sum("| 3,570 |" in " ".join(line.split()) for line in lines) == 1
    assert not write_into(tmp_path / "missing.md", table(ROWS))


def test_the_evidence_of_a_broken_run_is_kept_from_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "LOCAL", tmp_path)
    (tmp_path / "evidence.json").write_text("21")
    kept = parts.keep_evidence(tmp_path, "21")
    (tmp_path / "evidence.json").write_text("22")
    assert (kept.name, kept.read_text()) == ("evidence-21.json", "21")
