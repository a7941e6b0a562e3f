"""Checks of a Gunicorn worker: does it call our hooks, does it exit by ``os._exit``, is its hub supported."""

from __future__ import annotations

import logging
import sys
from types import CodeType, FunctionType

from .._base.log import say


def check_start(worker: object) -> None:
    """Log one WARNING where this worker will not call ``post_worker_init``, so that no telemetry starts."""
    for kind in type(worker).__mro__:
        method = vars(kind).get("init_process")
        if isinstance(method, FunctionType):
            if not kind.__module__.startswith("gunicorn.") and "init_process" not in names_used_by(method):
                say(
                    logging.WARNING,
                    "no spans are exported: %s.init_process does not call Gunicorn's own init_process, "
                    "which calls post_worker_init",
                    kind.__qualname__,
                )
            return


def check_patch() -> None:
    """Log one WARNING where eventlet has patched this process."""
    patcher = sys.modules.get("eventlet.patcher")
    if patcher is not None and patcher.is_monkey_patched("thread"):
        say(
            logging.WARNING,
            "eventlet is not supported: exports may hold up its hub, and what is queued at the end may be "
            "lost; Gunicorn's gevent and gthread workers are supported",
        )


def calls_os_exit(kind: type) -> bool:
    """True where a method of this worker class calls ``os._exit``, as far as its code shows."""
    methods = (value for each in kind.__mro__ for value in vars(each).values())
    return any("_exit" in names_used_by(method) for method in methods)


def names_used_by(function: object) -> set[str]:
    """The names that the code of a function uses, and that of functions inside it; none for anything else."""
    code = getattr(function, "__code__", None)
    found: set[str] = set()
    left = [code] if isinstance(code, CodeType) else []
    while left:
        code = left.pop()
        found.update(code.co_names)
        left += [each for each in code.co_consts if isinstance(each, CodeType)]
    return found
