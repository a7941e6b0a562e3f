"""The class of Gunicorn's workers: if it can be loaded, and if this package was tested with it."""

from __future__ import annotations

import difflib
import importlib
from typing import Any

from ..._base.redaction import shown
from ..report import Steps, broken, ok, warning

_KINDS = {
    "gunicorn.workers.ggevent": "gevent",
    "gunicorn.workers.geventlet": "eventlet",
    "gunicorn.workers.gthread": "gthread",
    "gunicorn.workers.sync": "sync",
}
_TO_INSTALL = (
    "install gevent, and all that it needs:",
    'pip install --upgrade "breaker-exporter[gunicorn]"',
)
_TESTED = ("gevent", "sync", "gthread")


def load(cfg: Any) -> tuple[str, BaseException | None]:
    """Load the class as the arbiter does, and return its kind, and the error where that fails."""
    try:
        worker = cfg.worker_class
        if not isinstance(worker, type):  # the module has no such attribute, or one that is no class
            raise TypeError("there is no such class")
    except Exception as error:
        name = str(cfg.worker_class_str)
        return "gevent" if "gevent" in name else name, error
    modules = [base.__module__ for base in worker.__mro__]
    return next((_KINDS[module] for module in modules if module in _KINDS), "other"), None


def check(cfg: Any, kind: str, error: BaseException | None, *, named: bool) -> Steps[None]:
    """Find a class that cannot be loaded, or that this package was not tested with."""
    name = shown(cfg.worker_class_str)
    if kind == "eventlet":
        text = f"the worker class {name} is eventlet's, which this package does not support"
        yield broken("worker-class", text, 'set worker_class = "gevent", or "gthread"')
    elif error is not None:
        reason, missing = _reason(error)
        advice = _how_to_load(str(cfg.worker_class_str), kind, missing)
        text = f"the worker class {name} cannot be loaded: {reason}"
        yield broken("worker-class", text, advice, todo=_TO_INSTALL if kind == "gevent" else ())
    elif kind not in _TESTED:
        advice = f"use {', '.join(_TESTED)}, or a class derived from theirs"
        yield warning("worker-class", f"this package was not tested with the worker class {name}", advice)
    else:
        advice = "" if named else "give -k on Gunicorn's command line in GUNICORN_CMD_ARGS here, too"
        text = f"worker class {name}"
        yield ok("worker-class", text, advice, brief=text)


def _reason(error: BaseException) -> tuple[str, str]:
    """Return why a class cannot be loaded, and the module that is missing, if that is it.

    A failed import is the reason for what Gunicorn and its worker raise over it: they say that the worker
    needs gevent, where gevent needs something.
    """
    chain = [error]
    while under := chain[-1].__cause__ or chain[-1].__context__:
        chain.append(under)
    for each in reversed(chain):
        if isinstance(each, ImportError):
            missing = each.name if isinstance(each, ModuleNotFoundError) else None
            return " ".join(str(each).split())[:200], missing or ""
    # Gunicorn's has a whole traceback for its text: the reason is its last line.
    lines = [line.strip(" ]") for line in str(error).splitlines()]
    return next(filter(None, reversed(lines)), type(error).__name__)[:200], ""


def _how_to_load(name: str, kind: str, missing: str) -> str:
    if kind == "gevent":
        return f"{_TO_INSTALL[1]}, which brings gevent and all that it needs"
    if missing:
        return f"correct worker_class, or install what has the module {missing}"
    known = getattr(importlib.import_module("gunicorn.workers"), "SUPPORTED_WORKERS", ())
    near = difflib.get_close_matches(name, known, 1)
    return f'did you mean "{near[0]}"?' if near else "correct worker_class, or install what it needs"
