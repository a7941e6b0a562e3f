"""Gunicorn's hooks for ``gunicorn.conf.py``, over :class:`~breaker_exporter.telemetry.Telemetry`.

Configured by the environment::

    from breaker_exporter.gunicorn import post_fork, post_worker_init, worker_exit

or in code::

    from breaker_exporter.gunicorn import hooks
    from breaker_exporter.telemetry import Telemetry

    post_fork, post_worker_init, worker_exit = hooks(Telemetry(service_name="shop"))

The arbiter imports this before any monkey patch, so it loads nothing that brings ``ssl`` along.
"""

# Without `from __future__ import annotations`: the signature of Hooks would show it.

import contextlib

# Not used here. A worker hangs for good in an import that a thread of the arbiter was in the middle of at the
# fork. Seen with preload_app and Sentry, whose thread resolves a name; requests imports this too.
import encodings.idna  # noqa: F401
import functools
import logging
from collections.abc import Callable, Iterator
from typing import NamedTuple, cast

from ._base.log import say
from ._concurrency.patch_order import TAKEN, holders_of_ssl
from ._concurrency.patched import is_patched
from ._wiring.gunicorn_log import write_to_error_log
from ._wiring.worker_checks import check_patch, check_start
from ._wiring.worker_end import prepare_end
from .telemetry import Telemetry, TelemetryError

__all__ = ["Hooks", "hooks", "post_fork", "post_worker_init", "telemetry", "worker_exit"]


class Hooks(NamedTuple):
    """Three hooks, in the order in which Gunicorn calls them.

    Assign each to its name in ``gunicorn.conf.py``. A hook of your own may call one with the arguments that
    it got.

    Attributes:
        post_fork: Prepares tracing in the new worker.
        post_worker_init: Starts exporting.
        worker_exit: Exports what is queued, and stops.
    """

    post_fork: Callable[[object, object], None]
    post_worker_init: Callable[[object], None]
    worker_exit: Callable[[object, object], None]


class _Hook:
    """One of Gunicorn's hooks. Gunicorn asks it for a signature and prints its ``__qualname__``."""

    def __init__(self, function: Callable[..., None], telemetry: Telemetry) -> None:
        functools.update_wrapper(self, function)
        self.name = self.__qualname__ = function.__name__
        self.telemetry = telemetry
        self._function = function

    def __call__(self, *args: object, **kwargs: object) -> None:
        self._function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<breaker_exporter's {self.name} hook for gunicorn.conf.py, over {self.telemetry!r}>"


def hooks(telemetry: Telemetry) -> Hooks:
    """Make the three hooks that prepare, start and stop `telemetry` in each worker.

    They fail open as `telemetry` does. Under ``BREAKER_EXPORTER_STRICT=1`` a mistake stops Gunicorn with one
    line and without restarting the worker over and over.

    Raises:
        TypeError: `telemetry` is not a :class:`~breaker_exporter.telemetry.Telemetry`.
    """
    if not isinstance(telemetry, Telemetry):
        raise TypeError(f"telemetry must be a Telemetry, not {telemetry!r}")
    holders: tuple[str, ...] = ()
    error_log = contextlib.ExitStack()

    def post_fork(server: object, worker: object) -> None:
        """Prepare tracing: resource and provider. Safe before gevent's monkey patch."""
        nonlocal holders
        error_log.close()
        error_log.callback(write_to_error_log(server))
        with _halting_gunicorn():
            telemetry.prepare()
        check_start(worker)
        holders = () if is_patched("ssl") else holders_of_ssl()

    def post_worker_init(worker: object) -> None:
        """Start the exporters, after the monkey patch and with the application loaded.

        What the worker has loaded by then is kept out of later garbage collections, unless
        ``BREAKER_EXPORTER_GC_FREEZE=0``.
        """
        if holders and is_patched("ssl"):
            say(
                logging.WARNING,
                TAKEN + "Import them after the patch, which follows post_fork: not in gunicorn.conf.py, by "
                "preload_app or by a resource detector.",
                ", ".join(holders),
            )
        with _halting_gunicorn():
            telemetry.start()
            telemetry._lifecycle.freeze_garbage()
        if telemetry._lifecycle.is_running:
            check_patch()
            prepare_end(worker, telemetry._lifecycle)

    def worker_exit(server: object, worker: object) -> None:
        """Export what is queued and stop, within ``BREAKER_EXPORTER_SHUTDOWN_TIMEOUT`` (5 s).

        Does nothing in the arbiter, which calls it too, and after a boot that failed.
        """
        telemetry.stop()
        error_log.close()

    return Hooks(*(_Hook(function, telemetry) for function in (post_fork, post_worker_init, worker_exit)))


def _origin_of(hook: object) -> tuple[str, Telemetry] | None:
    """The name under which Gunicorn must find a hook made here, and its telemetry; ``None`` for any other.

    By its type alone: the ``__class__`` of a lazy object may run code that fails.
    """
    if not issubclass(type(hook), _Hook):
        return None
    made_here = cast(_Hook, hook)
    return made_here.name, made_here.telemetry


@contextlib.contextmanager
def _halting_gunicorn() -> Iterator[None]:
    """Make a mistake in the settings stop Gunicorn, with one line."""
    try:
        yield
    except TelemetryError as error:
        # What Gunicorn raises itself for an application that cannot be loaded: it prints the text and halts.
        # Anything else, SystemExit included, is a worker to be replaced: 35 boots in 6 s were measured.
        from gunicorn.errors import AppImportError

        raise AppImportError(f"breaker_exporter: {error}") from None


telemetry = Telemetry()
"""The telemetry of the hooks below: for the application, ``telemetry.exporters`` with their health."""

_by_environment = hooks(telemetry)
post_fork = _by_environment.post_fork
"""Prepares tracing in a new worker, as the environment has it."""
post_worker_init = _by_environment.post_worker_init
"""Starts the exporters, after the monkey patch and with the application loaded."""
worker_exit = _by_environment.worker_exit
"""Exports what is queued and stops, within ``BREAKER_EXPORTER_SHUTDOWN_TIMEOUT`` (5 s)."""
