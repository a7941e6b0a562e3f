"""The suite ``signals`` of `make bench`: what is planned, measured, and said of it."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.batches import series
from benchmarks.contenders import ALL_SIGNALS
from benchmarks.figures import figures_of
from benchmarks.measure import Observations
from benchmarks.plan import WARM_UP, Cell, cells
from benchmarks.results import Results
from benchmarks.table_of_signals import signals
from benchmarks.targets import verdicts


def cell(
    contender: str, cpu: float, megabytes: float, fault: str = "refuse", suite: str = "signals"
) -> dict[str, Any]:
    """A cell whose requests take 2 ms, and 1 ms more in the outage for who exports all."""
    it = Cell(suite, contender, "gevent", fault, 10, 0, seconds=(4.0, 4.0, 0.0, 4.0))
    raw = Observations(it, ended=it.total, memory=[(0.5, int(megabytes * 1e6))])
    for index in range(round(10 * (WARM_UP + it.total))):
        is_faulty = 4.0 <= index / 10 - WARM_UP < 8.0
        raw.latencies[index] = (0.003 if is_faulty and contender in ALL_SIGNALS else 0.002, 200)
    raw.beats = [(0.01 * beat, 0.001) for beat in range(round(100 * it.total))]
    raw.cpu = [(0.25 * line, 0.25 * line * cpu) for line in range(round(4 * it.total) + 1)]
    return figures_of(raw)


def data() -> dict[str, Any]:
    found = [
        cell("none", 0.2, 40),
        cell("hooks-signals", 0.3, 47),
        cell("bare-http-signals", 0.45, 46),
        cell("hooks", 0.25, 42, fault="none"),
        cell("none", 0.2, 40, "none", "cost-signals"),
        cell("hooks-signals", 0.3, 47, "none", "cost-signals"),
        cell("bare-http-signals", 0.45, 46, "none", "cost-signals"),
    ]
    micro = {"refused_export_of[log records]": 8e-6, "refused_export_of[data points]": 12e-6}
    return {"cells": {each["key"]: each for each in found}, "micro": micro, "skipped": {}}


def test_all_three_are_measured_beside_none_and_beside_traces_alone() -> None:
    planned = cells(5, ["signals"], ())

    assert [cell.contender for cell in planned[:4]] == ["none", "hooks-signals", "bare-http-signals", "hooks"]
    assert {cell.round for cell in planned} == {0, 1, 2}
    assert [cell.fault for cell in planned[:4]] == ["refuse"] * 3 + ["none"]


def test_the_targets_are_judged_within_a_round() -> None:
    judged = {verdict.figure: verdict for verdict in verdicts(Results(data()))}

    met = {name: verdict.met for name, verdict in judged.items() if verdict.met is not None}
    assert met == {
        "all signals, healthy: request p99 / none": True,
        "all signals, healthy: hub p99.9 / none": True,
        "all signals, outage: request p99 / none": False,
        "all signals, outage: hub p99.9 / none": True,
        "all signals, replay: request p99 / none": True,
        "all signals, replay: hub p99.9 / none": True,
        "CPU of exporting all signals, hooks / the three official exporters": True,
        "all signals: memory over traces alone, MB": True,
        "refused export of log records, µs": True,
        "refused export of data points, µs": False,
    }
    assert judged["all signals, outage: request p99 / none"].values == pytest.approx((1.5,))
    cpu = judged["CPU of exporting all signals, hooks / the three official exporters"]
    assert cpu.values == pytest.approx((0.4,))
    assert judged["all signals: memory over traces alone, MB"].values == pytest.approx((5.0,))


def test_the_table_has_a_line_for_each_that_exports_all() -> None:
    text = "\n".join(signals(Results(data())))

    assert "| `hooks-signals` | 1 | 1 | 1.5 | 1 | 1 | 1 | 47 |" in text
    assert "| `bare-http-signals` | 1 | 1 | 1.5 | 1 | 1 | 1 | 46 |" in text
    assert list(signals(Results({**data(), "cells": {}}))) == []


def test_metrics_of_so_many_series_have_as_many_data_points() -> None:
    (resource,) = series(200).resource_metrics
    points = [point for metric in resource.scope_metrics[0].metrics for point in metric.data.data_points]

    assert len(points) == 200
