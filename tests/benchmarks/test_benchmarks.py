"""The pure parts of ``make bench``: what is planned, what figures come of it, what is said of them."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from benchmarks.__main__ import main
from benchmarks.compare import Side, lines
from benchmarks.contenders import CONTENDERS
from benchmarks.figures import figures_of
from benchmarks.measure import Observations
from benchmarks.plan import SUITES, WARM_UP, Cell, cells, quick_cells, together
from benchmarks.report import markdown
from benchmarks.results import Results
from benchmarks.spreads import interval, spread
from benchmarks.starts import said
from benchmarks.store import Store
from benchmarks.suites import measure_cells
from benchmarks.targets import cost_verdicts, verdicts
from benchmarks.verdict import Verdict
from breaker_exporter.testing import FaultyCollector


def raw(
    contender: str, number: int = 0, latency: float = 0.002, cpu: float = 0.1, gap: float = 0.001
) -> Observations:
    """Ten requests a second, each answered alike; a heartbeat that is late by `gap` each time."""
    cell = Cell("outage", contender, "gevent", "blackhole", 10, number)
    observed = Observations(cell, ended=cell.total, memory=[(0.5, 50_000_000)], started=1000)
    observed.latencies = dict.fromkeys(range(round(10 * (WARM_UP + cell.total))), (latency, 200))
    observed.beats = [(0.01 * beat, gap) for beat in range(round(100 * cell.total))]
    observed.cpu = [(0.25 * line, 0.25 * line * cpu) for line in range(round(4 * cell.total) + 1)]
    observed.delivered = [(0.1 * look, 10 * look if look < 50 or look > 130 else 500) for look in range(150)]
    observed.changes = [(8.0, "open"), (12.5, "half-open"), (12.6, "closed")]
    return observed


def growth(contender: str, rate: float, p99: float, delivered: float = 1000) -> dict[str, Any]:
    cell = Cell("growth", contender, "gevent", "none", rate, 0, seconds=(4.0, 0.0, 0.0, 0.0))
    observed = Observations(
        cell, ended=cell.total, delivered=[(look, round(look * delivered)) for look in (0, 1, 2, 3)]
    )
    requests = round(rate * (WARM_UP + cell.total))
    observed.latencies = dict.fromkeys(range(requests), (p99 / 1000.0, 200))
    return figures_of(observed)


def cost(contender: str, number: int, cpu: float) -> dict[str, Any]:
    cell = Cell("cost", contender, "gevent", "none", 10, number, seconds=(20.0, 0.0, 0.0, 0.0))
    observed = Observations(
        cell, ended=cell.total, cpu=[(0.25 * line, 0.25 * line * cpu) for line in range(81)]
    )
    return figures_of(observed)


def results() -> dict[str, Any]:
    found = []
    for number in range(3):
        slower = 1 + number / 10  # the whole machine is, in later rounds: ratios do not see it
        found += [
            figures_of(raw("none", number, 0.002 * slower, 0.10 * slower)),
            figures_of(raw("sdk-only", number, 0.002 * slower, 0.11 * slower)),
            figures_of(raw("bare-http", number, 0.010 * slower, 0.20 * slower)),
            figures_of(raw("wrapped-http", number, 0.003 * slower, 0.19 * slower)),
            figures_of(raw("hooks", number, 0.0022 * slower, 0.15 * slower, 0.0015)),
            cost("none", number, 0.10 * slower),
            cost("bare-http", number, 0.20 * slower),
            cost("hooks", number, 0.15 * slower),
        ]
    for rate in (50, 100, 200):
        found += [
            growth("none", rate, 2),
            growth("bare-http", rate, rate / 25, 2000),
            growth("hooks", rate, 3),
        ]
    return {
        "command": "make bench",
        "date": "2026-01-01",
        "versions": {"python": "3.13"},
        "cores": 2,
        "cells": {cell["key"]: cell for cell in found},
        "skipped": {"outage/gevent/blackhole/150/logfire/0": "logfire is not installed"},
        "micro": {
            "encode_direct[repeating]": 0.003,
            "encode_official[repeating]": 0.012,
            "refused_export": 3e-6,
        },
        "starts": [[1.0, 1.02], [2.0, 2.06], [1.0, 1.04]],
    }


def test_all_contenders_take_turns_within_each_round() -> None:
    planned = cells(2, SUITES, ())
    numbers = [cell.round for cell in planned]

    assert numbers == sorted(numbers)
    assert len({cell.key for cell in planned}) == len(planned)
    first = [cell.contender for cell in planned if cell.suite == "outage" and cell.round == 0]
    assert first[: len(CONTENDERS)] == list(CONTENDERS)
    assert {cell.contender for cell in cells(1, SUITES, ("hooks",))} == {"hooks"}


def test_the_quick_run_takes_less_than_four_minutes() -> None:
    assert sum(cell.estimate for cell in quick_cells()) + 60 < 240


def test_the_figures_of_a_phase_are_those_of_its_requests() -> None:
    observed = raw("hooks")
    slow = round(10 * (WARM_UP + 6))
    observed.latencies[slow] = (3.0, 200)
    del observed.latencies[slow + 1]

    figures: Any = figures_of(observed)

    assert figures["phases"]["healthy"]["p100_ms"] == pytest.approx(2)
    assert figures["phases"]["fault"]["p100_ms"] == pytest.approx(1e3 * (observed.cell.total - 6.1))
    assert figures["phases"]["fault"]["answered"] == figures["phases"]["fault"]["requests"] - 1
    assert figures["phases"]["healthy"]["hub_p99_ms"] == pytest.approx(1)
    assert figures["phases"]["open"]["cpu"] == pytest.approx(0.1)
    assert figures["phases"]["healthy"]["delivered_per_s"] == pytest.approx(100)
    assert figures["phases"]["healthy"]["resident_mb"] == figures["resident_mb"] == pytest.approx(50)
    assert figures["seconds_to_open"] == pytest.approx(3.0)
    assert figures["seconds_to_recover"] == pytest.approx(1.1)


def test_a_hub_that_stands_still_to_the_end_counts_with_its_delay() -> None:
    observed = raw("bare-grpc")
    observed.beats = [beat for beat in observed.beats if beat[0] < 6]
    figures: Any = figures_of(observed)
    assert figures["phases"]["fault"]["hub_p100_ms"] == pytest.approx(3500, abs=20)
    assert figures["phases"]["open"]["hub_p100_ms"] == pytest.approx(2500, abs=20)


def test_ratios_are_formed_within_a_round_and_judged_by_their_median() -> None:
    judged = {verdict.figure: verdict for verdict in verdicts(Results(results()))}

    p99 = judged["healthy, hooks: request p99 / none"]
    assert p99.values == pytest.approx((1.1, 1.1, 1.1))
    assert p99.met
    assert judged["the same / bare"].values == pytest.approx((0.3, 0.3, 0.3))
    assert judged["CPU of exporting, HTTP, hooks / bare"].middle == pytest.approx(0.5)
    assert judged["blackhole, any protocol, hooks: largest hub gap / none"].middle == pytest.approx(1.5)
    assert judged["CPU with the circuit open, hooks / none"].met is False
    assert judged["direct encoding / official, values repeat"].middle == pytest.approx(0.25)
    assert judged["import over `opentelemetry.sdk.trace`, ms"].met is None
    doubling = judged["spans/s at which request p99 doubles, hooks / bare"]
    assert doubling.middle == pytest.approx(2.0)
    assert doubling.met
    assert judged["most spans/s delivered, hooks / bare"].middle == pytest.approx(0.5)
    assert judged["most spans/s delivered, hooks / bare"].met is False


def test_any_fault_means_that_every_fault_was_measured() -> None:
    data = results()
    assert Results(data).faults() == "blackhole"
    for fault in ("refuse", "drip"):
        figures: Any = {**figures_of(raw("hooks")), "fault": fault}
        data["cells"][fault] = figures
    assert Results(data).faults() == "any fault"
    assert Results({**data, "cells": {}}).faults() == "no fault yet"


def test_the_load_at_which_p99_doubles_is_interpolated() -> None:
    found = Results(results())
    assert found.doubles_at("bare-http", 0) == pytest.approx(1000)
    assert found.doubles_at("hooks", 0) == 2000
    assert found.doubles_at("bare-grpc", 0) is None


def test_the_report_has_targets_and_tables_and_names_missing_figures() -> None:
    text = markdown(results())

    assert "| healthy, hooks: request p99 / none | <= 1.2 | 1.1 (1.1-1.1) | met |" in text
    assert "| CPU with the circuit open, hooks / none | <= 1.1 | 1.5 (1.5-1.5) | **not met** |" in text
    assert "10,000 files on disk: first answer / without | <= 1.2 | 1.03 (1.02-1.04) | met |" in text
    assert "Not measured: `logfire`: logfire is not installed" in text
    assert "## Growth" in text
    assert "| `encode_direct[repeating]` | 3e+03 |" in text
    assert "p99.9 of a request is the greatest of its phase" in text
    assert markdown({**results(), "cells": {}, "micro": {}, "starts": []}).count("not measured") > 10


def test_starts_with_files_are_compared_within_their_round() -> None:
    text = said([(1.0, 1.02), (2.0, 2.06), (1.0, 1.04)])

    assert text.startswith("first answer with 10,000 files on disk / without: 1.03 (1.02-1.04)\n")
    assert text.endswith(" s without: 40 (20-60) ms later")


def test_a_resumed_run_keeps_earlier_results(tmp_path: Path) -> None:
    path = tmp_path / "new" / "results.json"
    store = Store(path, "make bench", resume=True)
    figures: Any = figures_of(raw("hooks"))
    store.add(figures)
    store.skip("a/b/c/d/logfire/0", "not installed")

    again = Store(path, "make bench", resume=True)

    assert again.has(figures["key"])
    assert again.data["skipped"] == {"a/b/c/d/logfire/0": "not installed"}
    assert not Store(path, "make bench", resume=False).has(figures["key"])
    assert [path.name for path in path.parent.iterdir()] == ["results.json"]


def test_a_cell_that_is_measured_later_does_not_count_as_skipped(tmp_path: Path) -> None:
    store = Store(tmp_path / "results.json", "make bench", resume=False)
    figures: Any = figures_of(raw("hooks"))
    store.skip(figures["key"], "its service did not run")

    store.add(figures)

    assert store.data["skipped"] == {}


@pytest.mark.parametrize(("contender", "package"), [("logfire", "logfire"), ("bare-http-rotel", "rotel")])
def test_a_contender_whose_package_is_not_installed_is_skipped(
    contender: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    planned = [cell for cell in cells(1, ("retention",), (contender,)) if cell.fault == "refuse"]
    store = Store(tmp_path / "results.json", "make bench", resume=False)

    measure_cells(store, planned, FaultyCollector.__new__(FaultyCollector), lambda: None)

    assert store.data["skipped"] == {planned[0].key: f"{package} is not installed"}


def test_a_contender_that_failed_in_the_first_round_is_in_the_report() -> None:
    data = results()
    for key in [key for key in data["cells"] if key.endswith("/hooks/0")]:
        del data["cells"][key]
    data["cells"].update({cell["key"]: cell for cell in [{**growth("hooks", 50, 3), "round": 1, "key": "x"}]})

    text = markdown(data)

    assert "| `hooks` | 2" in text.partition("Healthy:")[2]
    assert "| `hooks` | 3 |" in text.partition("## Growth")[2]


def test_results_of_an_older_method_are_not_resumed(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text('{"cells": {}, "skipped": {}, "micro": {}}')
    with pytest.raises(SystemExit, match="measure anew, without --resume"):
        Store(path, "make bench", resume=True)


def test_a_target_is_met_when_its_whole_spread_is_within_the_limit() -> None:
    def verdict(*values: float, at_least: bool = False) -> Verdict:
        return Verdict("a figure", "", 1.0, values, at_least)

    assert verdict(0.8, 0.9, 1.0).met is True
    assert verdict(0.8, 0.9, 1.1).met is False
    assert not verdict(0.8, 0.9, 1.1).is_decided
    assert verdict(1.1, 1.2, 1.3).is_decided
    assert verdict(1.1, 1.2, 1.3, at_least=True).met is True
    assert verdict(0.9, 1.2, 1.3, at_least=True).met is False
    assert verdict().met is None
    assert not verdict().is_decided


def test_a_spread_narrows_as_rounds_are_added() -> None:
    """Of nine values the second to the eighth hold the true median with 95 % confidence (sign test)."""
    assert [interval(range(1, count + 1)) for count in (1, 5, 8, 9, 12, 15)] == [
        *((1, 1), (1, 5), (1, 8)),
        *((2, 8), (3, 10), (4, 12)),
    ]
    with pytest.raises(ValueError, match="at least one value"):
        interval([])


def test_the_cpu_of_exporting_is_measured_against_no_exporter_in_the_same_seconds() -> None:
    planned = cells(2, ("cost", "outage"), ("none", "bare-http", "hooks"))

    groups = together(planned)

    assert [len(group.cells) for group in groups] == [3, 1, 1, 1, 3, 1, 1, 1]
    assert [cell for group in groups for cell in group.cells] == planned
    assert groups[0].key.endswith("/none/0, bare-http, hooks")
    assert groups[0].estimate == groups[0].cells[0].estimate
    judged = cost_verdicts(Results(results()))
    http, grpc = judged["cost"]
    assert http.values == pytest.approx((0.5, 0.5, 0.5))
    assert http.met
    assert grpc.met is None
    assert [verdict.met for verdict in judged["cost-signals"]] == [None]
    assert "| `hooks` | 16.5 (15-18) | 5.5 (5-6) |" in markdown(results())


def test_a_comparison_has_ratios_within_a_round_and_their_spread() -> None:
    found = []
    for number in range(2):
        slower = 1 + number / 10
        for label, latency, cpu in (("none", 0.002, 0.1), ("A", 0.003, 0.15), ("B", 0.006, 0.2)):
            found.append({**figures_of(raw("hooks", number, latency * slower, cpu)), "contender": label})
            found.append({**cost("hooks", number, cpu * slower), "contender": label})
    cells = {f"{cell['suite']}/{cell['contender']}/{cell['round']}": cell for cell in found}
    sides = (Side("hooks", "abc"), Side("hooks", None))

    text = "\n".join(lines(sides, 2, Results({"cells": cells, "micro": {}})))

    assert text.startswith("A is `hooks@abc`, B is `hooks`; 2 rounds, interleaved")
    assert "| request p99, ms | 2.1 (2-2.2) | 3.15 (3-3.3) | 6.3 (6-6.6) | 0.5 (0.5-0.5) |" in text
    assert "| CPU of exporting, % | - | 5.25 (5-5.5) | 10.5 (10-11) | 0.5 (0.5-0.5) |" in text
    assert "late" not in text


def test_a_comparison_on_a_busy_machine_says_so() -> None:
    late = {**cost("hooks", 0, 0.1), "contender": "A", "load_late_ms": 80.0}
    sides = (Side("hooks", "abc"), Side("hooks", None))

    text = "\n".join(lines(sides, 1, Results({"cells": {"A": late}, "micro": {}})))

    assert "In 1 of 1 cells the load sent a request more than 5 ms late" in text
    assert text.endswith("Measure again on a machine that does nothing else.")


def test_a_spread_is_the_median_with_the_least_and_the_greatest() -> None:
    assert spread([3, 1, 2]) == "2 (1-3)"
    assert spread([1234.5]) == "1,234"
    assert spread([]) == "-"
    for values in itertools.permutations([1.0, 2.0, 4.0]):
        assert spread(values) == "2 (1-4)"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "--rounds", "0"], "must be a whole number, 1 or more, not '0'"),
        (["run", "--only", "nobody"], "must be of api-only, none"),
        (["compare", "hooks", "nobody"], "contender must be of api-only, none"),
        (["instructions", "--steps", "fly"], "must be of encode, encode-varied"),
        (
            ["run", "--suites", "outage,all"],
            "of outage, tuning, faults, workers, cost, cost-signals, growth, retention, retention-long, "
            "signals, not 'all'",
        ),
    ],
)
def test_a_wrong_option_is_named(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert says in capsys.readouterr().err


def test_a_dry_run_lists_the_cells_and_the_time_they_take(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--dry-run", "--rounds", "1", "--suites", "growth", "--no-micro"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("35 cells, about ")
    assert said[1] == "growth/gevent/none/50/none/0"


def test_an_outage_of_a_minute_has_its_memory_and_its_cpu_judged() -> None:
    cell = Cell("retention", "hooks", "gevent", "blackhole", 10, 0, seconds=(10.0, 60.0, 0.0, 150.0))
    observed = Observations(cell, ended=cell.total)
    observed.memory = [(5.0, 50_000_000), (60.0, 58_000_000), (71.0, 62_000_000), (219.0, 55_000_000)]
    observed.cpu = [(second, second * 0.1 + max(0.0, second - 10) * 0.005) for second in range(221)]

    data = {**results(), "cells": {cell.key: figures_of(observed)}}
    judged = {verdict.figure: verdict for verdict in verdicts(Results(data))}

    assert judged["memory that an outage of 60 s adds, hooks, MB"].values == pytest.approx((12,))
    assert judged["CPU in an outage of 60 s / in health, hooks"].values == pytest.approx((1.05,))
