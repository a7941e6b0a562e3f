"""What gevent calls before and after its monkey patch, for exporters that were made before it.

gevent loads this in every process that has both installed, by the entry points ``gevent.plugins.monkey.*``:
it imports nothing that must come later, and never raises.
"""

from __future__ import annotations

import logging
import weakref
from typing import Protocol

from .._base.log import say, write_by
from .._base.redaction import origin
from .hub import hand_over_to_here, is_patched
from .patch_order import TAKEN, holders_of_ssl

_ADVICE = (
    "Set OTEL_PYTHON_AUTO_INSTRUMENTATION_EXPERIMENTAL_GEVENT_PATCH=patch_all, with which "
    "opentelemetry-instrument patches first, or let the hooks of breaker_exporter.gunicorn trace instead."
)


class Early(Protocol):
    """An exporter that may have been made before the patch."""

    def prepare(self) -> None: ...


_early: weakref.WeakSet[Early] = weakref.WeakSet()
_held: list[str] = []


def await_patch(exporter: Early) -> None:
    """Have `exporter` prepare once gevent has patched: at once where it has."""
    _early.add(exporter)
    if is_patched():
        _prepare(exporter)


def any_early() -> bool:
    """Whether there is such an exporter."""
    return bool(_early)


def will_patch(event: object) -> None:
    """gevent's ``will_patch_all``: who holds ``SSLContext``, as long as one can tell."""
    _held[:] = () if is_patched("ssl") or not any_early() else holders_of_ssl()


def did_patch(event: object) -> None:
    """gevent's ``did_patch_all``."""
    if not any_early():
        return
    write_by(hand_over_to_here())
    if _held and is_patched("ssl"):
        say(logging.WARNING, TAKEN + _ADVICE, ", ".join(_held))
    for exporter in list(_early):
        _prepare(exporter)


def _prepare(exporter: Early) -> None:
    try:
        exporter.prepare()
    except Exception as error:
        say(logging.WARNING, "an exporter could not prepare for gevent: %s", origin(error))
