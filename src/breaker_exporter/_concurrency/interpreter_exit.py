"""The end of the interpreter, when no thread starts or runs any more."""

from __future__ import annotations

import builtins
import sys
import threading

from .threads import start_thread


class TornDown(RuntimeError):
    """The interpreter is being torn down: no thread, new or old, runs any more."""


def check_threads_run() -> None:
    """Raise where a thread, a new or an old one, would never get to run.

    Raises:
        TornDown: The interpreter is being torn down.
    """
    # Coverage has saved its data by then; the exit scenarios in tests/semantics go through here.
    if sys.is_finalizing():  # pragma: no cover
        raise TornDown("no thread runs any more at interpreter shutdown")


def is_exit_error(error: BaseException | None) -> bool:
    """True where `error` says that no thread can be started because the interpreter is about to end.

    Python 3.12 says so by the text alone, later ones by the type as well.
    """
    if isinstance(error, TornDown | getattr(builtins, "PythonFinalizationError", TornDown)):
        return True
    return isinstance(error, RuntimeError) and "interpreter shutdown" in str(error)


def resolve_names_without_threads() -> None:
    """At exit, make gevent resolve names in place where it has no thread for it and none can start (3.12).

    That blocks the hub, which has nothing else to do by then.
    """
    if _main_thread_runs():
        return
    import gevent
    from gevent.resolver.blocking import Resolver

    hub = gevent.get_hub()
    if hub.threadpool.size:
        return
    try:
        start_thread(lambda: None)
    except RuntimeError:
        hub.resolver = Resolver()  # type: ignore[assignment]


def _main_thread_runs() -> bool:
    """True until the interpreter's exit.

    A private door, with a test: up to Python 3.12 ``is_alive`` tries a lock, and gevent's lets all other
    greenlets run meanwhile; that would be in the middle of an export. The lock itself can be looked at.
    """
    main = threading.main_thread()
    lock = getattr(main, "_tstate_lock", None)
    return main.is_alive() if lock is None else bool(lock.locked())
