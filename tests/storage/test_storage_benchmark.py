"""`benchmarks/storage.py` runs: tiny files, the embedded store, every step; what it prints is a table and the targets."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys

import pytest
from storage_world import REPOSITORY

BENCHMARKS = REPOSITORY / "benchmarks"
TINY = ("--store", "embedded", "--size", "4", "--count", "5", "--rounds", "1")


def measured(*words: str) -> dict[str, list[str]]:
    """Cells by the first one of their row."""
    argv = [sys.executable, str(BENCHMARKS / "storage.py"), *TINY, *words]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=1000)
    assert done.returncode == 0, done.stderr[-3000:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in done.stdout.splitlines() if "|" in line]
    return {first: cells for first, *cells in rows}


@pytest.mark.server
@pytest.mark.root
@pytest.mark.fuse
def test_every_step_is_measured_on_our_mount_and_by_boto3():
    rows = measured("--side", "ours", "--side", "boto3 x1")
    titles = [title for title in rows if title and not title.startswith("-")]
    assert len(titles) == 13 + 1 + 4  # measures, the head of the targets, the targets that are shares of one stream
    for title in titles[:13]:
        unit, *values, share = rows[title]
        assert unit in ("MB/s", "/s", "s")
        assert all(float(value) > 0 for value in values), title
        assert re.fullmatch(r"\d+%", share), title


@pytest.mark.server
@pytest.mark.root
@pytest.mark.fuse
def test_the_mount_of_today_is_measured_beside_ours():
    rows = measured("--side", "today", "--side", "ours", "--only", "read")
    assert rows[""] == ["unit", "today", "ours", "ours / boto3 x1"]
    assert set(rows) >= {"read, cold", "read again"}
    assert rows["read, cold"][-1] == ""  # boto3 took no part


def test_table_and_plot_go_into_the_docs(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    report = importlib.import_module("storage_report")
    results = report.Results()
    for side, values in {"ours": [60, 20, 50], "boto3 x1": [100, 50, 10]}.items():
        for value in values:
            results.add("read", side, value)
    text = results.report("A store, 3 rounds")
    assert "| read, cold | MB/s | 50 | 50 | 60% |" in text
    assert "| read, cold, of boto3 x1 | 55% | 60% | met |" in text
    (tmp_path / "images").mkdir()
    page = tmp_path / "explanation" / "storage-speed.md"
    page.parent.mkdir()
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    report.write_docs(text, results, tmp_path)
    assert page.read_text() == f"before\n{report.BEGIN}\n\n{text}\n\n{report.END}\nafter\n"
    assert (tmp_path / "images" / "storage-speed.svg").read_text().startswith("<?xml")
