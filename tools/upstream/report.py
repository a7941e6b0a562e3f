"""Prints failures, reasons and a table at the end of a run."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence

from .verdict import Verdict

_COLUMNS = ("package", "way", "ran", "with ours", "passed", "left out", "failed")


def concluded(verdicts: Mapping[tuple[str, str], Verdict], gone: Sequence[str], seconds: float) -> int:
    """Print failures, reasons and a table; return the exit status."""
    for verdict in verdicts.values():
        for test in verdict.passing:
            _say(f"listed, but it passes: {test}")
    for name in gone:
        _say(f"listed, but there is no such test: {name}")
    reasons = Counter[str]()
    for verdict in verdicts.values():
        reasons.update({reason: len(tests) for reason, tests in verdict.left_out.items()})
    _say(
        "", "left out, with the reason:", *(f"{count:5}  {reason}" for reason, count in reasons.most_common())
    )
    _say("", *_table(verdicts))
    for (tested, way), verdict in verdicts.items():
        if not verdict.used:
            _say(f"FAILED {tested}, {way}: nothing of ours took part")
        for result in verdict.failed:
            _say(f"FAILED {way}: {result.test}: {result.why}")
    is_good = bool(verdicts) and all(verdict.is_good for verdict in verdicts.values())
    _say("", f"{'no failure that is not listed' if is_good else 'FAILED'}; took {seconds:.0f} s")
    return 0 if is_good else 1


def _table(verdicts: Mapping[tuple[str, str], Verdict]) -> list[str]:
    rows = [(tested, way, *map(str, _figures(verdict))) for (tested, way), verdict in verdicts.items()]
    sums = (sum(column) for column in zip(*map(_figures, verdicts.values()), strict=True))
    rows = [_COLUMNS, *rows, ("all", "", *map(str, sums))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(_aligned(row, widths)) for row in rows]


def _aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Return words to the left, figures to the right."""
    words, figures = row[:2], row[2:]
    return [
        *(f"{word:<{width}}" for word, width in zip(words, widths, strict=False)),
        *(f"{figure:>{width}}" for figure, width in zip(figures, widths[2:], strict=True)),
    ]


def _figures(verdict: Verdict) -> tuple[int, ...]:
    return (verdict.ran, verdict.used, len(verdict.passed), verdict.number_left_out, len(verdict.failed))


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
