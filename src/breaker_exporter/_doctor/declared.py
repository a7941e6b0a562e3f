"""All checks of the doctor, by area: for the summary, the reference page, and the tests."""

from __future__ import annotations

from . import command, memory, versions
from .check import Area, Check
from .disk.checks import CHECKS as OF_DISK
from .gunicorn import stopping
from .gunicorn.checks import CHECKS as OF_GUNICORN
from .network.checks import CHECKS as OF_NETWORK
from .network.checks import OF_SENTRY
from .network.way_checks import SENTRY
from .settings.checks import CHECKS as OF_SETTINGS

DECLARED: dict[Area, tuple[Check, ...]] = {
    Area.INSTALLED: versions.CHECKS,
    Area.GUNICORN: OF_GUNICORN,
    Area.SETTINGS: OF_SETTINGS,
    Area.DISK: OF_DISK,
    Area.COLLECTOR: OF_NETWORK,
    Area.STOPPING: stopping.CHECKS,
    Area.MEMORY: memory.CHECKS,
    Area.SENTRY: OF_SENTRY,
    Area.DOCTOR: command.CHECKS,
}


def area_of(name: str) -> Area:
    """Return the area of the check with that name; of one that is not declared, the doctor itself."""
    if name.startswith(SENTRY):
        return Area.SENTRY
    made = declared(name)
    return next((area for area, checks in DECLARED.items() if made in checks), Area.DOCTOR)


def declared(name: str) -> Check | None:
    """Return the check that makes findings with that name."""
    every = [check for checks in DECLARED.values() for check in checks]
    exact = (check for check in every if name in check.names)
    return next(exact, None) or next((check for check in every if check.has_made(name)), None)
