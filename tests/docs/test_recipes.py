"""README and docs show what is tested: recipes word for word, and programs that run as they stand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from breaker_exporter.testing import Fault, FaultyCollector

from ..metrics._recipes import METRICS_PAGE, PAGES
from ..semantics._waiting import until
from ._pages import ROOT, programs


@pytest.mark.parametrize(("recipe", "page"), PAGES.items(), ids=list(PAGES.values()))
def test_each_recipe_is_on_its_page_word_for_word(recipe: str, page: str) -> None:
    assert f"```python\n{recipe.strip()}\n```" in (ROOT / page).read_text()


def test_the_alert_on_its_page_is_the_one_in_its_file() -> None:
    alert = (ROOT / "docs" / "alerts.yml").read_text().strip()
    assert f"```yaml\n{alert}\n```" in (ROOT / METRICS_PAGE).read_text()


def test_the_tutorials_program_goes_through_an_outage(tmp_path: Path, collector: FaultyCollector) -> None:
    ((_, program),) = programs(ROOT / "docs" / "tutorial" / "first-outage.md")
    output = tmp_path / "output"
    with (
        output.open("wb") as file,
        subprocess.Popen(
            [sys.executable, "-u", "-c", program.replace("time.sleep(1)", "time.sleep(0.1)")],
            env={**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.http_base},
            stdout=file,
            stderr=subprocess.STDOUT,
        ) as shop,
    ):

        def until_it_says(text: str) -> None:
            until(lambda: text in output.read_text(), within=30)

        try:
            until_it_says("circuit closed; spans: 1")
            collector.fault = Fault.BLACKHOLE
            until_it_says("circuit opened: no answer from")
            until_it_says("circuit open; ")
            collector.fault = Fault.NONE
            until_it_says("circuit closed after")
        finally:
            shop.terminate()


def test_the_examples_of_tests_pass(tmp_path: Path) -> None:
    ((_, program),) = programs(ROOT / "docs" / "how-to" / "testing-your-service.md")
    (tmp_path / "test_outage.py").write_text(program)

    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_outage.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=100)

    assert "2 passed" in done.stdout, done.stdout


def test_the_programs_for_logs_and_metrics_deliver_what_they_log_and_count(
    collector: FaultyCollector,
) -> None:
    pytest.importorskip("opentelemetry.instrumentation.logging.handler", reason="comes with 0.61b0")
    found = [program for _, program in programs(ROOT / "docs" / "how-to" / "logs-and-metrics.md")]
    _, by_telemetry, logs, metrics, shared = found
    wrapped = (
        f"{logs}\nprovider.get_logger('shop').emit(body='sold one')\n"
        f"{metrics}\nprovider.get_meter('shop').create_counter('sold').add(1)\n"
        f"{shared}\nfor exporter in (spans, logs, points):\n    exporter.shutdown()\n"
    )
    base = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.http_base}
    for program, more in (
        (by_telemetry, {"OTEL_LOGS_EXPORTER": "otlp", "OTEL_METRICS_EXPORTER": "otlp"}),
        (wrapped, {}),
    ):
        command = [sys.executable, "-c", program]
        env = {**os.environ, **base, **more}
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr

    assert collector.log_bodies == {"imported 3 rows", "sold one"}
    assert (collector.counter_total("rows"), collector.counter_total("sold")) == (3, 1)
