"""The metrics of a forked child: its sums begin at zero, and no lock before them is held for good (L5).

OpenTelemetry's reader goes on in a child from the sums of its parent, which a backend would count once in
each worker. And a lock that the parent's reader held at the fork, in the middle of an export or a collection,
is held in the child for ever.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from opentelemetry.sdk.metrics import MeterProvider

if TYPE_CHECKING:
    from .metrics import ZeroCodeMetricExporter

ADVICE = (
    "metrics that were counted before the fork are counted again in each worker: this OpenTelemetry SDK does "
    "not let a worker begin at zero. Have Gunicorn load the application in its workers, without preload_app, "
    "or use the hooks of breaker_exporter.gunicorn"
)

_exporters: WeakSet[ZeroCodeMetricExporter] = WeakSet()


def begin_at_zero(exporter: ZeroCodeMetricExporter) -> None:
    """In every forked child, let the sums that `exporter` is given begin at zero."""
    _exporters.add(exporter)


def _begin_at_zero() -> None:
    for exporter in list(_exporters):
        exporter.could_begin_at_zero = True
        try:
            _renew_readers(exporter)
        except Exception:  # the SDK has changed: said with the first export, as nothing is logged at a fork
            exporter.could_begin_at_zero = False


# Private attributes, with a test: nothing public lets a reader begin anew (1.39 to 1.45).
def _renew_readers(exporter: object) -> None:
    """Give each reader of `exporter` new sums and new locks.

    Raises:
        AttributeError: The SDK has none of that name.
        Exception: It makes them in another way.
    """
    readers: Any = MeterProvider._all_metric_readers
    for reader in [each for each in readers if getattr(each, "_exporter", None) is exporter]:
        _replace(reader, "_export_lock", threading.Lock())
        consumer = reader._collect.__self__
        _replace(consumer, "_lock", threading.Lock())
        old = consumer._reader_storages[reader]
        new = type(old)(old._sdk_config, old._instrument_class_temporality, old._instrument_class_aggregation)
        _replace(consumer, "_reader_storages", {**consumer._reader_storages, reader: new})


def _replace(owner: object, name: str, value: object) -> None:
    if name not in vars(owner):
        raise AttributeError(f"{type(owner).__name__} has no {name}")
    setattr(owner, name, value)


# Before those of the readers, which start their threads: this module is imported before any is made.
os.register_at_fork(after_in_child=_begin_at_zero)
