"""The settings page says what the code declares, and so do errors and docstrings."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from pathlib import Path

import pytest

from breaker_exporter import CircuitBreakerSpanExporter
from breaker_exporter._all_settings import DECLARED, OURS
from breaker_exporter._base.setting import Setting
from breaker_exporter._core import circuit_settings
from breaker_exporter._core.circuit_settings import COOLDOWN, FAILURE_THRESHOLD, MAX_COOLDOWN
from breaker_exporter._wiring.settings import EXPORT_TIMEOUT, TIMEOUT, Arguments, Settings
from breaker_exporter._wiring.switches import SHUTDOWN_TIMEOUT
from breaker_exporter.otlp import CooperativeOTLPSpanExporter, OTLPGrpcSpanExporter
from breaker_exporter.otlp import _settings as otlp
from breaker_exporter.telemetry import Telemetry
from tools.reference.pages import PAGES as GENERATED
from tools.reference.pages import written

from ._pages import PAGES, name_of

PAGE = next(page for page in GENERATED if page.name == "settings.md")


@pytest.mark.parametrize("page", GENERATED, ids=name_of)
def test_the_tables_of_a_page_are_those_that_make_reference_writes(page: Path) -> None:
    text = page.read_text()

    assert written(page, text) == text


def test_a_page_without_one_of_its_tables_is_refused() -> None:
    with pytest.raises(ValueError, match=r"settings\.md must have each of the tables .*otlp"):
        written(PAGE, PAGE.read_text().replace("<!-- table: otlp -->", ""))


def test_the_page_has_each_variable_that_is_declared() -> None:
    named = set(re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.MULTILINE))

    assert [
        setting.variable for setting in DECLARED if setting.variables and setting.variable not in named
    ] == []


def test_no_page_names_a_variable_that_is_not_read() -> None:
    text = "".join(page.read_text() for page in PAGES)
    named = set(re.findall(r"BREAKER_EXPORTER_[A-Z_]*[A-Z]", text))

    assert named == set(OURS)


def ids(setting: object) -> str:
    assert isinstance(setting, Setting)
    return setting.variable if setting.variables else setting.argument


@pytest.mark.parametrize("setting", DECLARED, ids=ids)
def test_an_error_says_what_the_page_says_is_accepted(setting: Setting[object]) -> None:
    said = f"it must be {setting.kind.allowed}"
    try:
        setting.kind.check("it", "??\n??")
    except (TypeError, ValueError) as error:
        said = str(error)

    assert said.startswith(f"it must be {setting.kind.allowed}")


@pytest.mark.parametrize("setting", DECLARED, ids=ids)
def test_a_default_is_a_value_that_is_accepted(setting: Setting[object]) -> None:
    if setting.default is not None and not isinstance(setting.default, bool):
        assert setting.accept(setting.default) == setting.default


def test_the_constructor_shows_the_defaults_that_hold() -> None:
    parameters = inspect.signature(CircuitBreakerSpanExporter).parameters

    for setting in circuit_settings.DECLARED:
        assert parameters[setting.argument].default == setting.default


@pytest.mark.parametrize(
    ("documented", "settings"),
    [
        (CircuitBreakerSpanExporter.__init__, circuit_settings.DECLARED),
        (
            Telemetry,
            (TIMEOUT, EXPORT_TIMEOUT, FAILURE_THRESHOLD, COOLDOWN, MAX_COOLDOWN, SHUTDOWN_TIMEOUT),
        ),
        (CooperativeOTLPSpanExporter, (otlp.TIMEOUT, otlp.COMPRESSION)),
        (OTLPGrpcSpanExporter, (otlp.TIMEOUT, otlp.GRPC_COMPRESSION)),
    ],
)
def test_a_docstring_names_the_defaults_that_hold(
    documented: object, settings: tuple[Setting[object], ...]
) -> None:
    text = f"{inspect.getdoc(documented)}\n{inspect.getdoc(documented.__init__)}"  # type: ignore[misc]
    for setting in settings:
        (argument,) = re.findall(rf"^    {setting.argument}: (.*(?:\n {{8}}.*)*)", text, re.MULTILINE)
        default = re.split(r"[, ]", setting.default_text)[0]
        assert re.search(rf"[Dd]efault {default}\b|`{default}`` \(default\)", argument), setting.argument


def test_a_docstring_names_the_largest_request() -> None:
    for documented, setting in (
        (CooperativeOTLPSpanExporter, otlp.MAX_REQUEST_SIZE),
        (OTLPGrpcSpanExporter, otlp.GRPC_MAX_REQUEST_SIZE),
    ):
        assert f"Default {setting.default >> 20} MiB" in (inspect.getdoc(documented.__init__) or "")


def test_each_setting_of_an_exporter_is_an_argument_of_telemetry() -> None:
    shown = set(inspect.signature(Telemetry).parameters)
    given = {field.name for field in fields(Arguments)}

    assert given <= shown
    assert {setting.argument for setting in circuit_settings.DECLARED} <= given | {
        "jitter",
        "switch_interval",
    }
    assert given - {"profile"} <= {field.name for field in fields(Settings)}
