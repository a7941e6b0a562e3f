"""The pages about the doctor show what it prints."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

import pytest

from breaker_exporter.__main__ import main
from breaker_exporter._doctor.command import configure
from breaker_exporter._doctor.declared import declared
from breaker_exporter._doctor.report import Level
from breaker_exporter.testing import FaultyCollector

from ..docs._pages import ROOT, blocks
from ..docs.test_reference import names, rows, section
from ._findings import diagnosed
from .test_command import at
from .test_conf import GEVENT, LINE

_PAGE = "reference/doctor.md"
_HOW_TO = ROOT / "docs" / "how-to" / "doctor.md"
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
    "array": (list,),
    "object": (dict,),
}


def objects_of(report: dict[str, Any], heading: str) -> list[dict[str, Any]]:
    """The objects in a report whose fields stand below that heading."""
    found: list[dict[str, Any]] = report[f"{heading.lower()}s"] if heading != "Report" else [report]
    return found


def shown(text: str) -> str:
    """The text without what differs between machines: ports, versions, memory, the ends of lines."""
    words = re.sub(r"(?:localhost|127\.0\.0\.1):\d+", "HOST", " ".join(text.split()))
    words = re.sub(r"all \d+ checks|up to \S+ MiB", "SO MANY", words)
    return re.sub(r"\d+\.\d+(?:\.\d+)*\w*(?=[, ])", "VERSION", words)


@pytest.fixture
def _service(monkeypatch: pytest.MonkeyPatch, collector: FaultyCollector) -> None:
    at(monkeypatch, collector)
    monkeypatch.setenv("OTEL_LOGS_EXPORTER", "otlp")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "otlp")


@pytest.mark.usefixtures("_service")
def test_the_screens_of_the_guide_are_those_that_it_prints(capsys: pytest.CaptureFixture[str]) -> None:
    well, without_hooks = [block.text for block in blocks(_HOW_TO) if block.language == "text"]

    Path("gunicorn.conf.py").write_text(GEVENT + LINE)
    assert main(["doctor"]) == 0
    assert shown(capsys.readouterr().out) == shown(well)

    Path("gunicorn.conf.py").write_text(GEVENT)
    assert main(["doctor"]) == 2
    assert shown(capsys.readouterr().out).endswith(shown(without_hooks))


@pytest.mark.usefixtures("_service")
def test_the_json_has_the_fields_of_the_page_and_their_types(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = [block.text for block in blocks(ROOT / "docs" / _PAGE) if block.language == "json"]
    real = diagnosed(capsys).report

    for heading in ("Report", "Finding", "Setting"):
        types = {row[0].strip("`"): row[1] for row in rows(section(_PAGE, heading))}
        for report in (real, json.loads(example)):
            for each in objects_of(report, heading):
                assert list(each) == list(types)
                for name, value in each.items():
                    kinds = [kind for each_type in types[name].split(", ") for kind in _TYPES[each_type]]
                    assert isinstance(value, tuple(kinds)), name


def test_the_example_of_the_page_is_made_of_checks_that_are_declared() -> None:
    (example,) = [block.text for block in blocks(ROOT / "docs" / _PAGE) if block.language == "json"]

    for finding in json.loads(example)["findings"]:
        check = declared(finding["check"])
        assert check is not None
        assert Level(finding["level"]) in check.levels


def test_the_page_has_each_option_and_level() -> None:
    parser = argparse.ArgumentParser()
    configure(parser)
    options = {name for action in parser._actions for name in action.option_strings} - {"-h", "--help"}

    assert {name.split()[0] for name in names(section(_PAGE, "Options"))} == options
    assert names(section(_PAGE, "Levels")) == {level.value for level in Level}
