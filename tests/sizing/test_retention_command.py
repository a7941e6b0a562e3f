"""The command ``retention``: what it measures and computes, its two forms, and what it refuses."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from breaker_exporter.__main__ import main
from breaker_exporter._core.retention import Retention
from breaker_exporter._sizing import sizing, traffic
from breaker_exporter._sizing.data_points import web_metrics
from breaker_exporter._sizing.log_records import web_log_records
from breaker_exporter._sizing.spans import web_spans
from breaker_exporter._sizing.traffic import ItemSize

from ..semantics._processes import run_code

PAGE = (Path(__file__).parents[2] / "docs/how-to/keep-data-through-an-outage.md").read_text()
MIB = 1 << 20
SIZE = ItemSize(items=512, encoded=400.0, packed=40.0)
SPANS, RECORDS, POINTS = traffic.spans(1000.0), traffic.log_records(1000.0), traffic.data_points(200, 10.0)


def computed(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["retention", "--json", *arguments]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_spans_are_those_of_requests_and_the_same_each_time() -> None:
    spans = web_spans(40)

    assert len(spans) == 40
    contexts = [json.loads(span.to_json())["context"] for span in spans]
    assert len({context["span_id"] for context in contexts}) == 40
    assert len({context["trace_id"] for context in contexts}) == 4
    assert [span.to_json() for span in spans] == [span.to_json() for span in web_spans(40)]
    assert all(span.start_time < span.end_time for span in spans)  # type: ignore[operator]


def test_the_log_records_are_requests_warnings_and_errors_and_the_same_each_time() -> None:
    records = web_log_records(100)

    assert len(records) == 100
    severities = Counter(record.log_record.severity_text for record in records)
    assert severities == {"INFO": 90, "WARN": 8, "ERROR": 2}
    assert len({record.log_record.span_id for record in records}) == 100
    assert [record.to_json() for record in records] == [record.to_json() for record in web_log_records(100)]


@pytest.mark.parametrize("series", [1, 7, 200, 2_000])
def test_the_metrics_have_a_data_point_for_each_series_and_are_the_same_each_time(series: int) -> None:
    metrics = web_metrics(series)

    found = [
        (metric.name, tuple(sorted((point.attributes or {}).items())))
        for of_resource in metrics.resource_metrics
        for of_scope in of_resource.scope_metrics
        for metric in of_scope.metrics
        for point in metric.data.data_points
    ]
    assert len(set(found)) == len(found) == series
    assert metrics.to_json() == web_metrics(series).to_json()


def test_a_packed_item_takes_a_fraction_of_an_encoded_one_the_more_so_in_a_large_batch() -> None:
    for large, small, times in (
        (traffic.spans(1500.0), traffic.spans(1.0), 5),
        (traffic.log_records(1000.0), traffic.log_records(5.0), 4),
        (traffic.data_points(200, 60.0), traffic.data_points(5, 60.0), 2),
    ):
        many, few = traffic.measured(large), traffic.measured(small)
        assert many.packed < many.encoded / times
        assert many.packed < few.packed < few.encoded


@pytest.mark.parametrize(("rate", "spans"), [(1500.0, 512), (102.4, 512), (10.0, 50), (0.3, 2), (0.001, 1)])
def test_a_batch_is_as_large_as_the_processor_makes_it(rate: float, spans: int) -> None:
    assert traffic.spans(rate).batch == spans


def test_log_records_are_exported_each_second_and_metrics_all_at_once() -> None:
    assert [traffic.log_records(rate).batch for rate in (1000.0, 100.0, 0.5)] == [512, 100, 1]
    assert (POINTS.batch, POINTS.rate) == (200, 20.0)


def test_of_metrics_whole_collections_are_kept() -> None:
    assert POINTS.items_in(600.0) == 12_000
    assert POINTS.items_in(601.0) == 12_200
    assert traffic.data_points(200, 60.0).items_in(5.0) == 200


def test_the_memory_holds_all_spans_packed_and_two_batches_that_are_not() -> None:
    found = sizing.sizing([(SPANS, SIZE)], 600.0, 4.0)

    assert found.items == (600_000,)
    assert found.memory == 24 * MIB  # 600,000 * 40 + 2 * 512 * 400 bytes, up to a whole MiB
    assert found.container == 64 * found.memory
    assert found.max_age is None


def test_the_memory_is_that_of_all_signals_and_the_replay_that_of_the_longest() -> None:
    small = ItemSize(items=200, encoded=0.0, packed=MIB / 12_000)
    alone = sizing.sizing([(SPANS, SIZE)], 600.0, 4.0)

    found = sizing.sizing([(SPANS, SIZE), (RECORDS, SIZE), (POINTS, small)], 600.0, 4.0)

    assert found.items == (600_000, 600_000, 12_000)
    assert found.memory == 48 * MIB  # 2 * (600,000 * 40 + 2 * 512 * 400) + 1 MiB, up to a whole one
    assert found.replay == alone.replay


def test_the_age_is_named_where_the_default_would_drop_the_first_spans() -> None:
    found = sizing.sizing([(SPANS, SIZE)], 86_000.0, 4.0)

    assert found.replay > 86_000 / 4
    assert found.max_age == int(86_000 + found.replay) + 1


def test_the_replay_takes_as_long_as_its_pace_says() -> None:
    """K4: 10 s each at 0.3, 0.6, 1.2 and 2.4 times the rate, then 4 times: 600 s take 179 s."""
    assert sizing.replay_time(SPANS, 600_000, 4.0) == pytest.approx(40 + (600 - 45) / 4, rel=0.02)
    assert sizing.replay_time(SPANS, 2_000, 4.0) < 10
    assert sizing.replay_time(SPANS, 600_000, 0.1) > 1_000


def test_the_replay_of_metrics_takes_new_ones_along() -> None:
    """K3: a batch a second at least, and one more for each ten seconds that this takes."""
    assert sizing.replay_time(POINTS, 12_000, 4.0) == pytest.approx(60 / 0.9, rel=0.05)
    often = traffic.data_points(200, 0.1)
    assert 600 < sizing.replay_time(often, 1_200_000, 0.5) < 2_000
    assert sizing.replay_time(often, 1_200_000, 1e-6) > 100_000


def test_a_replay_too_long_to_be_simulated_goes_on_at_its_last_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = sizing.replay_time(SPANS, 1_000_000, 4.0)
    monkeypatch.setattr(sizing, "_MOST_STEPS", 1_500)

    assert sizing.replay_time(SPANS, 1_000_000, 4.0) == pytest.approx(whole, rel=0.02)


def test_the_text_says_what_to_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["retention", "--rate", "1500", "--minutes", "10"]) == 0

    said = capsys.readouterr().out
    assert said.startswith("1500 spans/s for 10 minutes: 900,000 spans\n")
    (memory,) = re.findall(r"^export BREAKER_EXPORTER_RETAIN_MEMORY=(\d+)$", said, re.MULTILINE)
    assert Retention(memory=int(memory)).memory % MIB == 0
    assert "times the rate" in said
    assert "RETAIN_MAX_AGE" not in said


def test_where_the_default_is_enough_nothing_need_be_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["retention", "--rate", "1500", "--minutes", "1"]) == 0

    assert capsys.readouterr().out.endswith("\nBREAKER_EXPORTER_RETAIN_MEMORY need not be set\n")


def test_a_long_outage_takes_a_greater_age_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["retention", "--rate", "50", "--minutes", "1440"]) == 0
    text = capsys.readouterr().out

    plain = computed(capsys, "--rate", "50", "--minutes", "1440")
    age = plain["variables"]["BREAKER_EXPORTER_RETAIN_MAX_AGE"]
    assert int(age) > 86_400
    assert text.endswith(f"\nexport BREAKER_EXPORTER_RETAIN_MAX_AGE={age}\n")


def test_json_has_the_same_figures(capsys: pytest.CaptureFixture[str]) -> None:
    found = computed(capsys, "--rate", "1500", "--minutes", "10", "--replay-rate", "8")

    assert (found["rate"], found["minutes"], found["replay_rate"]) == (1500.0, 10.0, 8.0)
    assert found["spans"] == 900_000
    assert found["variables"] == {"BREAKER_EXPORTER_RETAIN_MEMORY": str(found["memory"])}
    assert found["container"] == 64 * found["memory"]
    assert found["replay_seconds"] < computed(capsys, "--rate", "1500", "--minutes", "10")["replay_seconds"]
    assert found["bytes_of_a_span"]["packed"] < found["bytes_of_a_span"]["encoded"]


def test_log_records_and_series_are_added(capsys: pytest.CaptureFixture[str]) -> None:
    spans = computed(capsys, "--rate", "1500", "--minutes", "10")
    arguments = ["--log-rate", "1000", "--series", "200", "--metric-interval", "10", "--minutes", "10"]
    all_three = computed(capsys, "--rate", "1500", *arguments)
    others = computed(capsys, *arguments)

    assert spans.keys().isdisjoint({"log_rate", "log_records", "series", "data_points", "metric_interval"})
    assert others.keys().isdisjoint({"rate", "spans", "bytes_of_a_span"})
    assert (all_three["spans"], all_three["log_records"], all_three["data_points"]) == (
        900_000,
        600_000,
        12_000,
    )
    assert (all_three["log_rate"], all_three["series"], all_three["metric_interval"]) == (1000.0, 200, 10.0)
    assert all_three["memory"] == pytest.approx(spans["memory"] + others["memory"], abs=MIB)
    for name in ("bytes_of_a_span", "bytes_of_a_log_record", "bytes_of_a_data_point"):
        assert all_three[name]["packed"] < all_three[name]["encoded"]


def test_metrics_alone_are_collected_each_minute_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["retention", "--series", "200", "--minutes", "10"]) == 0

    said = capsys.readouterr().out
    assert said.startswith("200 series every 60 s for 10 minutes: 2,000 data points\n  a data point  ")
    assert said.endswith("\nBREAKER_EXPORTER_RETAIN_MEMORY need not be set\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "one of the arguments --rate, --log-rate, --series is required"),
        (["--rate", "5", "--metric-interval", "10"], "argument --metric-interval: only with --series"),
    ],
)
def test_something_has_to_be_computed(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["retention", "--minutes", "10", *arguments])

    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--rate", "0", "must be a number of spans a second, above 0 and at most 100,000, not '0'"),
        ("--rate", "many", "must be a number of spans a second, above 0 and at most 100,000, not 'many'"),
        ("--rate", "100001", "must be a number of spans a second, above 0 and at most 100,000, not '100001'"),
        ("--log-rate", "0", "must be a number of log records a second, above 0 and at most 100,000, not '0'"),
        ("--series", "0", "must be a whole number from 1 to 100,000, not '0'"),
        ("--series", "1.5", "must be a whole number from 1 to 100,000, not '1.5'"),
        ("--metric-interval", "0.01", "must be a number of seconds from 0.1 to 3600, not '0.01'"),
        ("--metric-interval", "often", "must be a number of seconds, above 0 and at most 3,600, not 'often'"),
        ("--minutes", "-1", "must be a number of minutes, above 0 and at most 10,080, not '-1'"),
        ("--minutes", "inf", "must be a number of minutes, above 0 and at most 10,080, not 'inf'"),
        ("--replay-rate", "nan", "must be a number of times the rate, above 0 and at most 100, not 'nan'"),
    ],
)
def test_an_error_names_the_option_the_value_and_the_range(
    capsys: pytest.CaptureFixture[str], option: str, value: str, said: str
) -> None:
    arguments = {"--rate": "10", "--minutes": "10", option: value}

    with pytest.raises(SystemExit) as ended:
        main(["retention", *(f"{name}={each}" for name, each in arguments.items())])

    assert ended.value.code == 2
    assert f"argument {option}: {said}" in capsys.readouterr().err


def test_settings_of_the_sdk_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "some")  # the SDK cannot be imported with it
    command = "['retention', '--json', '--rate', '1500', '--minutes', '10']"

    said = run_code(f"from breaker_exporter.__main__ import main\nmain({command})")

    assert json.loads(said)["spans"] == 900_000


def test_the_examples_on_the_page_are_what_the_command_says(capsys: pytest.CaptureFixture[str]) -> None:
    """Figures may differ by a fifth: compression is that of the zlib that is installed."""
    commands = re.findall(r"^python -m breaker_exporter (retention .+)$", PAGE, re.MULTILINE)
    examples = re.findall(r"```text\n(\d+ spans/s.*?)```", PAGE, re.DOTALL)

    assert len(commands) == len(examples) == 2
    for command, shown in zip(commands, examples, strict=True):
        main(command.split())
        said = capsys.readouterr().out
        assert re.sub(r"\d[\d,]*", "N", shown) == re.sub(r"\d[\d,]*", "N", said)
        for ours, theirs in zip(re.findall(r"\d[\d,]*", shown), re.findall(r"\d[\d,]*", said), strict=True):
            assert int(ours.replace(",", "")) == pytest.approx(int(theirs.replace(",", "")), rel=0.2)


def test_the_table_on_the_page_is_what_the_command_computes(capsys: pytest.CaptureFixture[str]) -> None:
    rows = re.findall(r"^\| ([^|]+) \| (\d+) MiB \| (\d+) MiB \| (\d+) MiB \|$", PAGE, re.MULTILINE)

    options = [_options_of(name) for name, *_ in rows]
    assert {option for each in options for option in each[::2]} == {
        *("--rate", "--log-rate", "--series", "--metric-interval")
    }
    for arguments, (_, *shown) in zip(options, rows, strict=True):
        for minutes, memory in zip(("5", "15", "60"), shown, strict=True):
            found = computed(capsys, *arguments, "--minutes", minutes)
            assert int(memory) == pytest.approx(found["memory"] / MIB, rel=0.2, abs=1)


def _options_of(row: str) -> list[str]:
    """The options for what a row of the table names, such as ``1,500 spans/s``."""
    options = {"spans/s": "--rate", "log records/s": "--log-rate", "series": "--series"}
    found: list[str] = []
    for number, unit in re.findall(r"([\d,]+) (spans/s|log records/s|series)", row):
        found += (options[unit], number.replace(",", ""))
    for seconds in re.findall(r"every (\d+) s", row):
        found += ("--metric-interval", seconds)
    return found
