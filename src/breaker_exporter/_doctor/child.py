"""Evaluates a Gunicorn configuration as the arbiter does, in a process of its own, and says what came of it.

Run as ``python -m breaker_exporter._doctor.child DESCRIPTOR [CONF]``. It is the configuration's own code that
runs here: whatever it prints, raises or patches stays here.
"""

from __future__ import annotations

import faulthandler
import importlib
import importlib.util
import json
import os
import signal
import sys
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from .._base import environment
from .early import Witness, holders, place
from .raised import reason, said

_VARIABLES = ("OTEL_", "BREAKER_EXPORTER_", "SENTRY_")
_MORE_VARIABLES = (
    *(
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "no_proxy",
    ),
    *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"),
)
_KINDS = {
    "gunicorn.workers.ggevent": "gevent",
    "gunicorn.workers.geventlet": "eventlet",
    "gunicorn.workers.gtornado": "tornado",
    "gunicorn.workers.gthread": "gthread",
    "gunicorn.workers.sync": "sync",
}
_SETTABLE = (str, int, float, list, tuple, dict, FunctionType)
"""What Gunicorn's settings are made of."""


def main(descriptor: int, conf: str | None) -> None:
    """Write the report, a JSON object, to the descriptor."""
    seen: dict[str, Any] = {}
    faulthandler.register(signal.SIGUSR1, descriptor, all_threads=False)  # where does it hang?
    sys.argv = ["gunicorn"]  # what a configuration may look at
    try:
        _look(conf, seen)
    except BaseException as error:
        seen.setdefault("error", reason(error))
    with os.fdopen(descriptor, "w") as pipe:
        json.dump(seen, pipe, default=str)
    os._exit(0)  # threads that the configuration started, and what it has at exit, are its own affair


def _look(conf: str | None, seen: dict[str, Any]) -> None:
    cfg = _gunicorn(seen)
    if cfg is not None:
        try:
            from_variable = cfg.parser().parse_args(cfg.get_cmd_args_from_env())
        except SystemExit:
            seen["settings_error"] = "GUNICORN_CMD_ARGS holds what Gunicorn does not take"
            from_variable = None
        conf = conf or getattr(from_variable, "config", None)
    if conf is None and Path("gunicorn.conf.py").exists():
        conf = "gunicorn.conf.py"
    seen["path"] = conf
    before = environment.snapshot()
    namespace: dict[str, object] = {}
    if conf is not None:
        module, path = _prepared(conf, seen)
        if module is None:
            return
        namespace = _executed(module, path, seen)
        if "error" in seen:
            return
    if cfg is not None:
        _settle(cfg, namespace, from_variable, seen)
    after = {**environment.snapshot(), **seen.pop("raw_env", {})}
    seen["changes"] = {
        name: after.get(name)
        for name in before.keys() | after.keys()
        if (name.startswith(_VARIABLES) or name in _MORE_VARIABLES) and before.get(name) != after.get(name)
    }
    if conf is not None:
        # Only now: it loads what the configuration itself may not have.
        from .inspection import inspect

        inspect(namespace, path, seen)
    if cfg is not None:
        _load_worker(cfg, seen)


def _gunicorn(seen: dict[str, Any]) -> Any:
    """Gunicorn's configuration without anything set, its modules loaded as in an arbiter."""
    try:
        from gunicorn.config import Config
    except Exception as error:
        seen["gunicorn_error"] = reason(error)
        return None
    return Config(prog="gunicorn")


def _prepared(conf: str, seen: dict[str, Any]) -> tuple[ModuleType | None, str]:
    """The module that is to be executed, and its file."""
    name = conf.removeprefix("file:")
    if conf.startswith("python:"):
        name = conf.removeprefix("python:")
        try:
            spec = importlib.util.find_spec(name)
        except Exception:
            spec = None
        path = spec.origin if spec and spec.origin else ""
    else:
        path = str(Path(name).absolute())
    if not path or not Path(path).is_file():
        seen["missing"] = True
        return None, path
    module = ModuleType("__config__" if not conf.startswith("python:") else name)
    module.__file__ = path
    return module, path


def _executed(module: ModuleType, path: str, seen: dict[str, Any]) -> dict[str, object]:
    import ssl  # Gunicorn's arbiter has it too

    original = ssl.SSLContext
    before = set(holders(original))
    witness = Witness(path)
    sys.modules[module.__name__] = module
    sys.meta_path.insert(0, witness)
    source = ""
    try:
        source = importlib.util.decode_source(Path(path).read_bytes())
        exec(compile(source, path, "exec"), module.__dict__)
    except BaseException as error:
        seen["error"] = reason(error, path, vars(module))
    finally:
        sys.meta_path.remove(witness)
    lines = source.splitlines()
    seen["holders"] = [
        [name, place(lines, witness.lines.get(name))] for name in holders(original) if name not in before
    ]
    return vars(module)


def _settle(cfg: Any, namespace: dict[str, object], from_variable: Any, seen: dict[str, Any]) -> None:
    for name, value in namespace.items():
        if name in cfg.settings:
            _set(cfg, name, value, seen)
    for name, value in vars(from_variable).items() if from_variable else ():
        if value is not None and name != "args":
            _set(cfg, name, value, seen)
    for name in ("graceful_timeout", "timeout", "preload_app", "threads", "max_requests", "workers"):
        seen[name] = cfg.settings[name].get()
    seen["worker_class"] = cfg.worker_class_str
    seen["workers"] = sorted(getattr(importlib.import_module("gunicorn.workers"), "SUPPORTED_WORKERS", ()))
    seen["worker_named"] = bool(
        {"worker_class", "threads"} & namespace.keys() or getattr(from_variable, "worker_class", None)
    )
    seen["settings"] = sorted(cfg.settings)
    seen["raw_env"] = dict(text.split("=", 1) for text in cfg.settings["raw_env"].get() if "=" in text)
    seen["names"] = [
        name
        for name, value in namespace.items()
        if issubclass(type(value), _SETTABLE) and name not in cfg.settings
    ]


def _set(cfg: Any, name: str, value: object, seen: dict[str, Any]) -> None:
    try:
        cfg.set(name, value)
    except Exception as error:
        seen.setdefault("settings_error", f"{name} has a value that Gunicorn does not take: {said(error)}")


def _load_worker(cfg: Any, seen: dict[str, Any]) -> None:
    """The class of the workers, as the arbiter loads it."""
    seen["worker_kind"] = seen["worker_class"]
    try:
        worker = cfg.worker_class
        if not isinstance(worker, type):  # the module has no such attribute, or one that is no class
            raise TypeError("there is no such class")
    except Exception as error:
        seen["worker_error"], seen["worker_missing"] = _why_not(error)
        return
    modules = [base.__module__ for base in worker.__mro__]
    seen["worker_kind"] = next((_KINDS[name] for name in modules if name in _KINDS), "other")


def _why_not(error: BaseException) -> tuple[str, str | None]:
    """The reason why a class cannot be loaded, and the module that is missing, if that is it.

    A failed import is the reason for what Gunicorn and its worker raised over it: they say that the worker
    needs gevent, where gevent needs something.
    """
    chain = [error]
    while under := chain[-1].__cause__ or chain[-1].__context__:
        chain.append(under)
    for each in reversed(chain):
        if isinstance(each, ImportError):
            missing = each.name if isinstance(each, ModuleNotFoundError) else None
            return " ".join(str(each).split())[:200], missing
    # Gunicorn's has a whole traceback for its text: the reason is its last line.
    lines = [line.strip(" ]") for line in str(error).splitlines()]
    return next(filter(None, reversed(lines)), type(error).__name__)[:200], None


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
