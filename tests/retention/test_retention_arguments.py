"""`Retention` is strict: a bad value names the argument, the value and the allowed range."""

from __future__ import annotations

import inspect
import math
from pathlib import Path
from typing import Any

import pytest

from breaker_exporter import Retention

NUMBERS = ["memory", "disk", "max_age", "replay_rate"]


@pytest.mark.parametrize("argument", NUMBERS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1, True, False, "3", b"3", [3], {}, 3j])
def test_a_number_out_of_its_range_or_no_number_is_refused(argument: str, value: object) -> None:
    with pytest.raises((ValueError, TypeError)) as caught:
        Retention(**{argument: value})  # type: ignore[arg-type]

    said = str(caught.value)
    assert argument in said
    assert repr(value) in said
    assert len(said) > len(argument) + len(repr(value)) + 10, "the allowed range belongs into the message"


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("memory", 1.5),
        ("memory", 16.0),
        ("disk", 0),
        ("disk", 2.5),
        ("directory", ""),
        ("directory", "spool"),
        ("directory", "./spool"),
        ("directory", "/spool\0"),
        ("directory", 1),
        ("directory", b"/spool"),
        ("directory", True),
        ("max_age", 0),
        ("max_age", 0.0),
        ("replay_rate", 0),
        ("keep", ""),
        ("keep", "all"),
        ("keep", "NEWEST "),
        ("keep", 1),
        ("keep", b"newest"),
        ("keep", True),
    ],
)
def test_a_bad_value_is_refused_by_name(argument: str, value: object) -> None:
    with pytest.raises((ValueError, TypeError), match=argument) as caught:
        Retention(**{argument: value})  # type: ignore[arg-type]
    assert repr(value) in str(caught.value)


def test_a_wrong_kind_is_a_type_error_and_a_wrong_size_a_value_error() -> None:
    with pytest.raises(TypeError):
        Retention(memory="16")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="memory"):
        Retention(memory=-16)
    with pytest.raises(ValueError, match="newest"):
        Retention(keep="all")  # type: ignore[arg-type]


def test_the_defaults_are_those_of_the_design() -> None:
    retention = Retention()

    assert (retention.memory, retention.max_age, retention.replay_rate) == (16 << 20, 86_400.0, 4.0)
    assert retention.keep == "newest"
    assert (retention.directory, retention.disk) == (None, 256 << 20)


def test_the_directory_may_be_a_path() -> None:
    assert Retention(directory=Path("/var/spool/shop")).directory == "/var/spool/shop"


def test_none_means_the_default() -> None:
    arguments: dict[str, Any] = dict.fromkeys(
        ["memory", "directory", "disk", "max_age", "replay_rate", "keep"]
    )

    assert repr(Retention(**arguments)) == repr(Retention())


def test_every_argument_is_keyword_only() -> None:
    parameters = inspect.signature(Retention).parameters.values()

    assert {parameter.kind for parameter in parameters} == {inspect.Parameter.KEYWORD_ONLY}
    assert [parameter.name for parameter in parameters] == [
        "memory",
        "directory",
        "disk",
        "max_age",
        "replay_rate",
        "keep",
    ]


def test_it_shows_its_arguments() -> None:
    shown = repr(Retention(memory=5, max_age=60, replay_rate=2, keep="oldest"))

    assert shown == "Retention(memory=5, max_age=60, replay_rate=2, keep='oldest')"
    assert repr(eval(shown)) == shown

    shown = repr(Retention(directory="/var/spool/shop", disk=1 << 20))

    assert shown == (
        "Retention(memory=16777216, directory='/var/spool/shop', disk=1048576, max_age=86400, "
        "replay_rate=4, keep='newest')"
    )
    assert repr(eval(shown)) == shown


def test_the_constructor_reads_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RETAIN_MEMORY", "RETAIN_MAX_AGE", "REPLAY_RATE"):
        monkeypatch.setenv(f"BREAKER_EXPORTER_{name}", "7")

    assert repr(Retention()) == "Retention(memory=16777216, max_age=86400, replay_rate=4, keep='newest')"
