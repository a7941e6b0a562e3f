"""What the exporters for ``opentelemetry-instrument`` share in a process: variables, circuits, its end."""

from __future__ import annotations

import atexit
import os
import weakref
from typing import TYPE_CHECKING

from .._base.environment import Environment
from .._wiring.exporter_names import GUARDED, listed
from .._wiring.settings import Arguments
from .._wiring.shared_circuits import Circuits
from ..otlp._signals import SIGNALS

if TYPE_CHECKING:
    from .late import LateExporter

_exporters: list[weakref.ref[LateExporter]] = []
"""In the order in which they were made."""
_environments: weakref.WeakValueDictionary[int, Environment] = weakref.WeakValueDictionary()
_circuits: weakref.WeakKeyDictionary[Environment, Circuits] = weakref.WeakKeyDictionary()


def environment() -> Environment:
    """The variables; one for all exporters that find the same, so that it complains of each mistake once."""
    found = Environment()
    return _environments.setdefault(hash(frozenset(os.environ.items())), found)


def circuits(environment: Environment) -> Circuits:
    """The circuits that the signals share whose exporters of ours are named in `environment` (L7)."""
    if (found := _circuits.get(environment)) is not None:
        return found
    arguments = Arguments()
    defaults = arguments.defaults(environment)
    ours = [
        arguments.settings(environment, defaults, signal)
        for signal in SIGNALS
        if not GUARDED.keys().isdisjoint(listed(environment, signal))
    ]
    return _circuits.setdefault(environment, Circuits(ours, environment))


def add(exporter: LateExporter) -> None:
    """Let the last exports of `exporter` be bounded at exit."""
    _exporters.append(weakref.ref(exporter, _exporters.remove))
    # The providers of spans and log records were made before, so this runs before their last exports.
    atexit.register(bound_exit)


def bound_exit() -> None:
    """Give all exporters together the time that a shutdown may take. The first call counts.

    OpenTelemetry shuts them down one after the other, the one made last first. Each has its share of the time
    behind it, so that a dead backend of one leaves the others theirs.
    """
    living = _living()
    for place, exporter in enumerate(reversed(living), 1):
        exporter.begin_shutdown(exporter.settings.shutdown_timeout * place / len(living))


def _living() -> list[LateExporter]:
    return [exporter for known in list(_exporters) if (exporter := known()) is not None]


def _in_child() -> None:
    for exporter in _living():
        exporter.renew_in_child()


os.register_at_fork(after_in_child=_in_child)
