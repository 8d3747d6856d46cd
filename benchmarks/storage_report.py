"""What `benchmarks/storage.py` measured: medians, a table in Markdown, how far the targets are met, a plot."""

from __future__ import annotations

import datetime as dt
import os
import platform
import statistics
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
BEGIN, END = "<!-- begin of the table: benchmarks/storage.py --docs -->", "<!-- end of the table -->"
COLOURS = {"today": "#b0b7c3", "ours": "#1565c0", "s3fs": "#e0a030"}
SIDES = ["today", "ours", "s3fs", "boto3 x1", "boto3 x8", "boto3 x1 unsigned", "boto3 x8 unsigned"]


@dataclass(frozen=True)
class Measure:
    """What is measured: its step, how it is called, its unit, whether less is better."""

    step: str
    title: str
    unit: str
    less: bool = False


MEASURES = [
    Measure("write", "write one file", "MB/s"),
    Measure("write4", "write four files at once", "MB/s"),
    Measure("read", "read, cold", "MB/s"),
    Measure("read again", "read again", "MB/s"),
    Measure("read4", "read four files at once, cold", "MB/s"),
    Measure("random", "random 4 KiB, cold", "/s"),
    Measure("random again", "the same 4 KiB again", "/s"),
    Measure("create", "create files of 1 KiB", "/s"),
    Measure("list", "list them, cold", "/s"),
    Measure("read small", "read them", "/s"),
    Measure("metadata", "stat, rename, remove them", "/s"),
    Measure("parquet", "2 of 20 Parquet columns, cold", "s", less=True),
    Measure("parquet again", "the same columns again", "s", less=True),
]
TARGETS = {
    "write": (0.50, "boto3 x8"),
    "read": (0.55, "boto3 x1"),
    "random": (1.00, "boto3 x1"),
    "create": (0.90, "boto3 x1"),
    "read small": (0.90, "boto3 x1"),
}
"""Share of boto3's speed that ours is to reach with nothing but flags of rclone."""


@dataclass
class Results:
    """Every value, by step and side."""

    values: dict[str, dict[str, list[float]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))

    def add(self, step: str, side: str, value: float) -> None:
        """One round's value."""
        self.values[step][side].append(value)

    def median(self, step: str, side: str) -> float | None:
        """None where it was not measured."""
        found = self.values.get(step, {}).get(side)
        return statistics.median(found) if found else None

    def share(self, measure: Measure, side: str, reference: str) -> float | None:
        """How much of a reference's speed a side has: the median over the rounds, since only neighbours in time compare."""
        sides = self.values.get(measure.step, {})
        pairs = list(zip(sides.get(side, []), sides.get(reference, []), strict=False))
        return statistics.median(b / a if measure.less else a / b for a, b in pairs) if pairs else None

    def report(self, headline: str) -> str:
        """The table and the targets, in Markdown."""
        sides = [side for side in SIDES if any(side in found for found in self.values.values())]
        lines = [f"{_today()}, {machine()}.", f"{headline}.", ""]
        lines += [f"| | unit | {' | '.join(sides)} | ours / boto3 x1 |", f"|---|---|{'---:|' * (len(sides) + 1)}"]
        for measure in MEASURES:
            if measure.step in self.values:
                cells = [_number(self.median(measure.step, side)) for side in sides]
                share = _percent(self.share(measure, "ours", "boto3 x1"))
                lines.append(f"| {measure.title} | {measure.unit} | {' | '.join(cells)} | {share} |")
        return "\n".join([*lines, "", *self._targets()])

    def _targets(self) -> list[str]:
        lines = ["| target | wanted | measured | |", "|---|---:|---:|---|"]
        for measure in MEASURES:
            if measure.step in TARGETS:
                wanted, reference = TARGETS[measure.step]
                share = self.share(measure, "ours", reference)
                if share is not None:
                    word = "met" if share >= wanted else "missed"
                    lines.append(f"| {measure.title}, of {reference} | {wanted:.0%} | {share:.0%} | {word} |")
        return lines if len(lines) > 2 else []

    def plot(self, file: Path) -> None:
        """Bars: each mount's share of one boto3 stream."""
        import matplotlib as mpl

        mpl.use("agg")
        mpl.rcParams["svg.hashsalt"] = "naas"  # the same numbers give the same file
        from matplotlib import pyplot

        shown = [measure for measure in MEASURES if self.share(measure, "ours", "boto3 x1") is not None]
        figure, axes = pyplot.subplots(figsize=(9, 0.55 * len(shown) + 1.4), layout="constrained")
        for index, (side, colour) in enumerate(COLOURS.items()):
            shares = [100 * (self.share(measure, side, "boto3 x1") or 0) for measure in shown]
            places = [row + (index - 1) * 0.26 for row in range(len(shown))]
            axes.barh(places, shares, 0.26, color=colour, label=side)
        axes.set_yticks(range(len(shown)), [measure.title for measure in shown])
        axes.invert_yaxis()
        axes.set_xscale("log")
        axes.set_xticks([10, 25, 50, 100, 200, 400, 1000], ["10", "25", "50", "100", "200", "400", "1000"])
        axes.minorticks_off()
        axes.axvline(100, color="#333333", linewidth=1)
        axes.set_xlabel("% of one boto3 stream on the same store (more is better)")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, loc="lower right")
        figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)
        pyplot.close(figure)


def write_docs(report: str, results: Results, docs: Path = DOCS) -> None:
    """Put table and plot into the documentation."""
    page = docs / "explanation" / "storage-speed.md"
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{report}\n\n{END}{after}")
    results.plot(docs / "images" / "storage-speed.svg")


def machine(parts: str = "client and store on one machine") -> str:
    """The machine without its name, and who shares it."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = os.getloadavg()[1]
    kernel = ".".join(platform.release().split(".")[:2])
    return f"{os.cpu_count()} cores, {memory:.0f} GB, Linux {kernel}, {parts}, load {load:.0f}"


def _today() -> str:
    return dt.datetime.now(dt.UTC).date().isoformat()


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"
