"""Gunicorn's hooks over :class:`~breaker_exporter.telemetry.Telemetry`, for ``gunicorn.conf.py``.

Configured by the environment::

    from breaker_exporter.gunicorn import post_fork, post_worker_init, worker_exit

or in code::

    from breaker_exporter.gunicorn import hooks
    from breaker_exporter.telemetry import Telemetry

    post_fork, post_worker_init, worker_exit = hooks(Telemetry(service_name="shop"))

The arbiter imports this before any monkey patch: it loads nothing that brings ``ssl`` along.
"""

from __future__ import annotations

import contextlib
import encodings.idna  # noqa: F401
import logging
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import NamedTuple
from weakref import WeakKeyDictionary

from ._base.log import say
from ._concurrency.patch_order import TAKEN, holders_of_ssl
from ._concurrency.patched import is_patched
from ._wiring.gunicorn_log import write_to_error_log
from ._wiring.worker_end import check_patch, check_start, prepare_end
from .telemetry import Telemetry, TelemetryError

__all__ = ["Hooks", "hooks", "post_fork", "post_worker_init", "telemetry", "worker_exit"]


# Why encodings.idna: a worker hangs for good in an import that a thread of the arbiter was in the middle of
# at the fork. Seen with preload_app and Sentry, whose thread resolves a name; requests imports it too.


class Hooks(NamedTuple):
    """Gunicorn's hooks, in the order in which it calls them; your own may call them with what they got."""

    post_fork: Callable[[object, object], None]
    post_worker_init: Callable[[object], None]
    worker_exit: Callable[[object, object], None]


def hooks(telemetry: Telemetry) -> Hooks:
    """The three hooks that prepare, start and stop `telemetry` in each worker.

    They fail open as `telemetry` does. Under ``BREAKER_EXPORTER_STRICT=1`` a mistake stops Gunicorn with one
    line and without restarting the worker over and over.

    Raises:
        TypeError: `telemetry` is not a :class:`~breaker_exporter.telemetry.Telemetry`.
    """
    if not isinstance(telemetry, Telemetry):
        raise TypeError(f"telemetry must be a Telemetry, not {telemetry!r}")
    held: tuple[str, ...] = ()
    logging_here = contextlib.ExitStack()

    def post_fork(server: object, worker: object) -> None:
        nonlocal held
        logging_here.close()
        logging_here.callback(write_to_error_log(server))
        with _fatal_in_one_line():
            telemetry.prepare()
        check_start(worker)
        held = () if is_patched("ssl") else holders_of_ssl()

    def post_worker_init(worker: object) -> None:
        if held and is_patched("ssl"):
            say(
                logging.WARNING,
                TAKEN + "Import them after the patch, which follows post_fork: not in gunicorn.conf.py, by "
                "preload_app or by a resource detector.",
                ", ".join(held),
            )
        with _fatal_in_one_line():
            telemetry.start()
            telemetry._lifecycle.freeze_garbage()
        if telemetry._lifecycle.is_running:
            check_patch()
            prepare_end(worker, telemetry._lifecycle)

    def worker_exit(server: object, worker: object) -> None:
        telemetry.stop()
        logging_here.close()

    made = Hooks(post_fork, post_worker_init, worker_exit)
    _register(made, telemetry)
    return made


_origins: WeakKeyDictionary[object, tuple[str, Telemetry]] = WeakKeyDictionary()


def _register(made: Hooks, telemetry: Telemetry) -> None:
    for slot, hook in made._asdict().items():
        _origins[hook] = (slot, telemetry)


def _origin_of(hook: object) -> tuple[str, Telemetry] | None:
    """For a hook made here: the name under which Gunicorn has to find it, and what it starts and stops."""
    return _origins.get(hook) if isinstance(hook, FunctionType) else None


@contextlib.contextmanager
def _fatal_in_one_line() -> Iterator[None]:
    try:
        yield
    except TelemetryError as error:
        # What Gunicorn raises itself for an application that cannot be loaded: it prints the text and halts.
        # Anything else, SystemExit included, is a worker to be replaced: 35 boots in 6 s were measured.
        from gunicorn.errors import AppImportError

        raise AppImportError(f"breaker_exporter: {error}") from None


telemetry = Telemetry()
"""What the hooks below start and stop: for the application, ``telemetry.exporters`` with their health."""
_by_environment = hooks(telemetry)


def post_fork(server: object, worker: object) -> None:
    """Prepares tracing as the environment has it. Safe before gevent's monkey patch."""
    _by_environment.post_fork(server, worker)


def post_worker_init(worker: object) -> None:
    """Starts the exporters, after the monkey patch and with the application loaded.

    What is there by then is kept out of later garbage collections, unless ``BREAKER_EXPORTER_GC_FREEZE=0``.
    """
    _by_environment.post_worker_init(worker)


def worker_exit(server: object, worker: object) -> None:
    """Exports what is queued and stops, within ``BREAKER_EXPORTER_SHUTDOWN_TIMEOUT`` (5 s).

    Does nothing in the arbiter, which calls it too, and after a boot that failed.
    """
    _by_environment.worker_exit(server, worker)


_register(Hooks(post_fork, post_worker_init, worker_exit), telemetry)
