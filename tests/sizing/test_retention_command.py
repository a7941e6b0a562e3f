"""The command ``retention``: what it measures and computes, its two forms, and what it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from breaker_exporter.__main__ import main
from breaker_exporter._core.retention import Retention
from breaker_exporter._sizing import sizing
from breaker_exporter._sizing.sizing import SpanSize
from breaker_exporter._sizing.spans import web_spans

from ..semantics._processes import run_code

PAGE = (Path(__file__).parents[2] / "docs/how-to/keep-data-through-an-outage.md").read_text()
MIB = 1 << 20
SIZE = SpanSize(spans=512, encoded=400.0, packed=40.0)


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


def test_a_packed_span_takes_a_fraction_of_an_encoded_one_the_more_so_in_a_large_batch() -> None:
    large, small = sizing.measured(512), sizing.measured(5)

    assert large.packed < large.encoded / 5
    assert large.packed < small.packed < small.encoded


@pytest.mark.parametrize(("rate", "spans"), [(1500.0, 512), (102.4, 512), (10.0, 50), (0.3, 2), (0.001, 1)])
def test_a_batch_is_as_large_as_the_processor_makes_it(rate: float, spans: int) -> None:
    assert sizing.batch_size(rate) == spans


def test_the_memory_holds_all_spans_packed_and_two_batches_that_are_not() -> None:
    found = sizing.sizing(1000.0, 600.0, 4.0, SIZE)

    assert found.spans == 600_000
    assert found.memory == 24 * MIB  # 600,000 * 40 + 2 * 512 * 400 bytes, up to a whole MiB
    assert found.container == 64 * found.memory
    assert found.max_age is None


def test_the_age_is_named_where_the_default_would_drop_the_first_spans() -> None:
    found = sizing.sizing(1000.0, 86_000.0, 4.0, SIZE)

    assert found.replay > 86_000 / 4
    assert found.max_age == int(86_000 + found.replay) + 1


def test_the_replay_takes_as_long_as_its_pace_says() -> None:
    """K4: 10 s each at 0.3, 0.6, 1.2 and 2.4 times the rate, then 4 times: 600 s take 179 s."""
    assert sizing.replay_time(1000.0, 600_000, 4.0, 512) == pytest.approx(40 + (600 - 45) / 4, rel=0.02)
    assert sizing.replay_time(1000.0, 2_000, 4.0, 512) < 10
    assert sizing.replay_time(1000.0, 600_000, 0.1, 512) > 1_000


def test_a_replay_too_long_to_be_simulated_goes_on_at_its_last_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = sizing.replay_time(1000.0, 1_000_000, 4.0, 512)
    monkeypatch.setattr(sizing, "_MOST_STEPS", 1_500)

    assert sizing.replay_time(1000.0, 1_000_000, 4.0, 512) == pytest.approx(whole, rel=0.02)


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


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--rate", "0", "must be a number of spans a second, above 0 and at most 100,000, not '0'"),
        ("--rate", "many", "must be a number of spans a second, above 0 and at most 100,000, not 'many'"),
        ("--rate", "100001", "must be a number of spans a second, above 0 and at most 100,000, not '100001'"),
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


def test_the_example_on_the_page_is_what_the_command_says(capsys: pytest.CaptureFixture[str]) -> None:
    """Figures may differ by a fifth: compression is that of the zlib that is installed."""
    main(["retention", "--rate", "1500", "--minutes", "10"])
    said = capsys.readouterr().out
    (shown,) = re.findall(r"```text\n(1500 spans/s.*?)```", PAGE, re.DOTALL)

    assert re.sub(r"\d[\d,]*", "N", shown) == re.sub(r"\d[\d,]*", "N", said)
    for ours, theirs in zip(re.findall(r"\d[\d,]*", shown), re.findall(r"\d[\d,]*", said), strict=True):
        assert int(ours.replace(",", "")) == pytest.approx(int(theirs.replace(",", "")), rel=0.2)


def test_the_table_on_the_page_is_what_the_command_computes(capsys: pytest.CaptureFixture[str]) -> None:
    rows = re.findall(r"^\| ([\d,]+) \| (\d+) MiB \| (\d+) MiB \| (\d+) MiB \|$", PAGE, re.MULTILINE)

    assert len(rows) >= 3
    for rate, *shown in rows:
        for minutes, memory in zip(("5", "15", "60"), shown, strict=True):
            found = computed(capsys, "--rate", rate.replace(",", ""), "--minutes", minutes)
            assert int(memory) == pytest.approx(found["memory"] / MIB, rel=0.2, abs=1)
