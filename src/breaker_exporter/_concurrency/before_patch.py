"""Exporters that are made before gevent's monkey patch, and prepare once it has been made.

Loaded before the patch, so it imports nothing that must come after it. ``gevent_plugin`` calls it.
"""

from __future__ import annotations

import logging
import sys
import weakref
from typing import Protocol

from .._base.log import say
from .._base.redaction import origin
from .log_detour import divert_own_lines
from .patch_order import TAKEN, holders_of_ssl
from .patched import is_patched

_ADVICE = (
    "Set OTEL_PYTHON_AUTO_INSTRUMENTATION_EXPERIMENTAL_GEVENT_PATCH=patch_all, with which "
    "opentelemetry-instrument patches first, or let the hooks of breaker_exporter.gunicorn trace instead."
)


class Early(Protocol):
    """An exporter that may have been made before the patch."""

    def prepare(self) -> None: ...


_PATCHING_WORKER = "gunicorn.workers.ggevent"

_early: weakref.WeakSet[Early] = weakref.WeakSet()
_held: list[str] = []


def await_patch(exporter: Early) -> None:
    """Have `exporter` prepare once gevent has patched; at once if it has already."""
    _early.add(exporter)
    if is_patched():
        _prepare(exporter)


def is_patch_due() -> bool:
    """True where workers of Gunicorn patch later: in its arbiter, and in a worker that is about to."""
    return _PATCHING_WORKER in sys.modules and not is_patched()


def any_early() -> bool:
    """Return true where there is such an exporter."""
    return bool(_early)


def will_patch() -> None:
    """Note which modules hold ``SSLContext``: after the patch nobody can tell."""
    _held[:] = () if is_patched("ssl") or not any_early() else holders_of_ssl()


def did_patch() -> None:
    """Warn of modules that hold the unpatched ``SSLContext``, and let the exporters prepare. Never raises."""
    if not any_early():
        return
    divert_own_lines()
    if _held and is_patched("ssl"):
        say(logging.WARNING, TAKEN + _ADVICE, ", ".join(_held))
    for exporter in list(_early):
        _prepare(exporter)


def _prepare(exporter: Early) -> None:
    try:
        exporter.prepare()
    except Exception as error:
        say(logging.WARNING, "an exporter could not prepare for gevent: %s", origin(error))
