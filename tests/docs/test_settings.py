"""The settings page has each variable of this package, with its default."""

from __future__ import annotations

import re

from breaker_exporter._all_settings import OURS
from breaker_exporter._base.environment import Environment
from breaker_exporter._wiring.profiles import PROFILES, Profile
from breaker_exporter._wiring.settings import Arguments
from breaker_exporter._wiring.switches import GC_FREEZE, METRICS
from breaker_exporter.sentry import SentryMode

from ._pages import PAGES, ROOT

PAGE = (ROOT / "docs" / "reference" / "settings.md").read_text()
ROW = r"^\| `(BREAKER_EXPORTER_\w+)` \|[^|]*\| ([^|]*?) \|"
ROWS: dict[str, str] = dict(re.findall(ROW, PAGE, re.MULTILINE))


def defaults() -> dict[str, str]:
    """Return the values in force where no variable is set."""
    environment = Environment({})
    settings = Arguments().settings(environment, PROFILES[Profile.PRODUCTION])
    return {
        "BREAKER_EXPORTER_COOLDOWN": f"{settings.cooldown:g}",
        "BREAKER_EXPORTER_EXPORT_TIMEOUT": f"{settings.export_timeout:g}",
        "BREAKER_EXPORTER_FAILURE_THRESHOLD": f"{settings.failure_threshold}",
        "BREAKER_EXPORTER_GC_FREEZE": f"{environment.in_force(GC_FREEZE):d}",
        "BREAKER_EXPORTER_MAX_COOLDOWN": f"{settings.max_cooldown:g}",
        "BREAKER_EXPORTER_METRICS": f"{environment.in_force(METRICS):d}",
        "BREAKER_EXPORTER_PROFILE": Profile.PRODUCTION.value,
        "BREAKER_EXPORTER_SENTRY_MODE": SentryMode.OTLP.value,
        "BREAKER_EXPORTER_SHUTDOWN_TIMEOUT": f"{settings.shutdown_timeout:g}",
        "BREAKER_EXPORTER_STRICT": f"{environment.strict:d}",
        "BREAKER_EXPORTER_SWITCH_INTERVAL": f"{settings.switch_interval:g}",
    }


def test_each_variable_is_on_the_page_with_its_default() -> None:
    assert defaults() == ROWS
    assert set(ROWS) == set(OURS)


def test_no_page_names_a_variable_that_is_not_read() -> None:
    text = "".join(page.read_text() for page in PAGES)
    named = set(re.findall(r"BREAKER_EXPORTER_[A-Z_]*[A-Z]", text))

    assert named == set(OURS)
