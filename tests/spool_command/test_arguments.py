"""Arguments: what is refused, and that an error names the value and what is allowed."""

from __future__ import annotations

import pytest

from breaker_exporter.__main__ import main
from breaker_exporter._spool_command.arguments import duration, rate


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--send", "--delete"], "argument --delete: not allowed with argument --send"),
        (["--older-than", "1h"], "argument --older-than: only with --delete"),
        (["--send", "--older-than", "1h"], "argument --older-than: only with --delete"),
        (["--rate", "5"], "argument --rate: only with --send"),
        (
            ["--delete", "--older-than", "1 week"],
            "must be a duration such as 90s, 15m, 2h or 7d, not '1 week'",
        ),
        (["--delete", "--older-than=-1h"], "must be a duration such as 90s, 15m, 2h or 7d, not '-1h'"),
        (["--delete", "--older-than", "15"], "must be a duration such as 90s, 15m, 2h or 7d, not '15'"),
        (
            ["--send", "--rate", "0"],
            "must be a number of items a second, above 0 and at most 1,000,000, not '0'",
        ),
        (["--send", "--rate", "nan"], "above 0 and at most 1,000,000, not 'nan'"),
        (["--send", "--rate", "fast"], "above 0 and at most 1,000,000, not 'fast'"),
    ],
)
def test_an_error_names_the_value_and_what_is_allowed(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["spool", "/", *arguments])

    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("15m", 900), ("2h", 7_200), ("7d", 604_800), ("1.5h", 5_400), ("0s", 0)],
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == seconds


def test_rates() -> None:
    assert rate("0.5") == 0.5
    assert rate("1e6") == 1_000_000
