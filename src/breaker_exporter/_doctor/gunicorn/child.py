"""The process in which a configuration is evaluated as Gunicorn's arbiter does it, and looked at.

Run as ``python -m breaker_exporter._doctor.gunicorn.child DEADLINE [CONF]``. The configuration's own code
runs here: what it prints, raises or patches stays here.
"""

from __future__ import annotations

import contextlib
import difflib
import faulthandler
import importlib.util
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from ..._base import environment
from ..report import Finding, Steps, broken, ok, warning
from .first_imports import FirstImports, holders
from .raised import failed, reason, said

_VARIABLES = ("otel_", "breaker_exporter_", "sentry_", "http_proxy", "https_proxy", "all_proxy", "no_proxy")
"""Beginnings of the variables that the doctor looks at, in lower case."""
_MORE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
_SETTABLE = (str, int, float, list, tuple, dict, FunctionType)
"""The types of Gunicorn's settings."""


def main(ends_at: float, conf: str | None) -> None:
    """Write the report, a JSON object, to standard output; where that is not done in time, the stacks."""
    descriptor = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what the configuration prints is no part of the report
    faulthandler.dump_traceback_later(max(0.1, ends_at - time.monotonic()), exit=True, file=descriptor)
    sys.argv = ["gunicorn"]  # a configuration may look at it
    seen: dict[str, Any] = {"path": conf}
    findings: list[Finding] = []
    try:
        findings += _evaluate(conf, seen)
    except BaseException as error:
        seen, findings = {"path": seen["path"]}, [failed(seen["path"], reason(error))]
    faulthandler.cancel_dump_traceback_later()
    seen["findings"] = [
        (each.level.value, each.check, each.text, each.advice, each.brief, each.todo) for each in findings
    ]
    with os.fdopen(descriptor, "w") as file:
        json.dump(seen, file, default=lambda each: dict(each) if isinstance(each, Mapping) else str(each))
    os._exit(0)  # without the threads that the configuration started, and what it does at exit


def _evaluate(conf: str | None, seen: dict[str, Any]) -> Steps[None]:
    cfg, unimportable = _gunicorn()
    options: dict[str, Any] = {}
    if cfg is not None:
        try:
            options = vars(cfg.parser().parse_args(cfg.get_cmd_args_from_env()))
        except SystemExit:
            yield _bad_setting("GUNICORN_CMD_ARGS holds what Gunicorn does not take")
    default = "gunicorn.conf.py" if Path("gunicorn.conf.py").exists() else None
    seen["path"] = conf = conf or options.get("config") or default
    before = environment.snapshot()
    namespace: dict[str, Any] = {}
    early: dict[str, list[str]] = {}
    source = ""
    if conf is None:
        yield ok("conf-none", "no gunicorn.conf.py here: hooks are not looked at", "name it with --conf PATH")
    elif (module := _module_of(conf)) is None:
        yield broken("conf-missing", f"{conf} does not exist", "name the file that Gunicorn is started with")
        return
    else:
        namespace = vars(module)
        try:
            early, source = _execute(module)
        except BaseException as error:
            yield failed(conf, reason(error, str(module.__file__), namespace))
            return
        if cfg is None:
            command = 'pip install "breaker-exporter[gunicorn]"'
            text, todo = f"Gunicorn cannot be imported: {unimportable}", ("install Gunicorn:", command)
            yield broken("gunicorn-missing", text, command, todo=todo)
    named = False
    if cfg is not None:
        named = yield from _set(cfg, namespace, options, seen)
    seen["changes"] = _changes(before, cfg)
    if conf is not None:
        # Only now: these load modules that the configuration itself may not have.
        from ..settings import exporters, given, recording
        from . import hooks, order

        if telemetries := hooks.telemetries(namespace):
            seen["given"] = given.as_json(telemetries[0])
        needed = not exporters.needs_no_hooks(recording.RecordingEnvironment(before))
        sets_exporter = "OTEL_TRACES_EXPORTER" in seen["changes"]
        yield from hooks.check(conf, namespace, source, needed=needed, sets_exporter=sets_exporter)
        preload = bool(cfg and cfg.settings["preload_app"].get())
        yield from order.check(early, gevent=seen.get("gevent", False), named=named, preload=preload)
        strays = hooks.ours_in(namespace).keys()
        own = {name: value for name, value in namespace.items() if name not in strays}
        yield from _misspelt(own, cfg.settings if cfg else {})


def _gunicorn() -> tuple[Any, str]:
    """Return Gunicorn's configuration without anything set, or why there is none."""
    try:
        from gunicorn.config import Config
    except Exception as error:
        return None, reason(error)
    return Config(prog="gunicorn"), ""


def _module_of(conf: str) -> ModuleType | None:
    """Return the module to execute, named as Gunicorn does it; ``None`` if there is no such file."""
    name = conf.removeprefix("python:")
    path: str | None = str(Path(conf.removeprefix("file:")).absolute())
    if name != conf:
        path = None
        with contextlib.suppress(Exception):
            spec = importlib.util.find_spec(name)
            path = spec.origin if spec else None
    if path is None or not Path(path).is_file():
        return None
    module = ModuleType("__config__" if name == conf else name)
    module.__file__ = path
    return module


def _execute(module: ModuleType) -> tuple[dict[str, list[str]], str]:
    """Execute the configuration; return which modules took ``SSLContext`` at which line, and its source."""
    import ssl  # Gunicorn's arbiter has it too

    context, path = ssl.SSLContext, str(module.__file__)
    before = set(holders(context))
    imports = FirstImports(path)
    sys.modules[module.__name__] = module
    sys.meta_path.insert(0, imports)
    try:
        source = importlib.util.decode_source(Path(path).read_bytes())
        exec(compile(source, path, "exec"), module.__dict__)
    finally:
        sys.meta_path.remove(imports)
    return imports.of_holders(context, before, source), source


def _set(cfg: Any, namespace: dict[str, Any], options: dict[str, Any], seen: dict[str, Any]) -> Steps[bool]:
    """Set Gunicorn's settings, and load the worker class; return true if that is named here."""
    from . import worker_class

    refused = ""
    for name, value in {**namespace, **{name: options[name] for name in options if options[name]}}.items():
        try:
            if name in cfg.settings:
                cfg.set(name, value)
        except Exception as error:
            refused = refused or f"{name} has a value that Gunicorn does not take: {said(error)}"
    if refused:
        yield _bad_setting(refused)
    for name in ("graceful_timeout", "timeout", "workers"):
        seen[name] = cfg.settings[name].get()
    kind, failure = worker_class.load(cfg)
    seen["gevent"] = kind == "gevent"
    named = bool({"worker_class", "threads"} & namespace.keys() or options.get("worker_class"))
    if seen["path"] is not None or named:
        yield from worker_class.check(cfg, kind, failure, named=named)
    return named


def _changes(before: Mapping[str, str], cfg: Any) -> dict[str, str | None]:
    """Return the variables that the configuration sets, or with ``None`` takes away."""
    raw_env = cfg.settings["raw_env"].get() if cfg else []
    after = {**environment.snapshot(), **dict(text.split("=", 1) for text in raw_env if "=" in text)}
    names = [name for name in before.keys() | after.keys() if before.get(name) != after.get(name)]
    return {
        name: after.get(name)
        for name in names
        if name.lower().startswith(_VARIABLES) or name in _MORE_VARIABLES
    }


def _misspelt(namespace: Mapping[str, object], known: Mapping[str, object]) -> Iterator[Finding]:
    for name, value in namespace.items():
        is_setting = name in known or not issubclass(type(value), _SETTABLE)
        if not is_setting and (near := difflib.get_close_matches(name, known, 1, 0.88)):
            text = f"{name} is no setting of Gunicorn, and has no effect"
            todo = (f"rename {name} to {near[0]} in Gunicorn's configuration",)
            yield warning("conf-name", text, f"did you mean {near[0]}?", todo=todo)


def _bad_setting(text: str) -> Finding:
    advice = "correct the value: Gunicorn does not start with it"
    return broken("conf-setting", text, advice, todo=(f"correct the value: {text}",))


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
