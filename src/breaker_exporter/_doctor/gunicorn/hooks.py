"""Gunicorn's hooks: the names under which ours stand in a configuration. Those of the user are not read."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from types import FunctionType

from ...gunicorn import Hooks, _origin_of
from ...telemetry import Telemetry
from ..report import Finding, Steps, broken, ok, warning
from .checks import LINE

_MISSING = {
    "post_fork": "the provider is made after the application is loaded, whose spans of loading are lost",
    "post_worker_init": "no exporter is started, and no spans leave the worker",
    "worker_exit": "queued spans are lost when a worker stops, and nothing bounds its end",
}
"""The slots of our hooks, in the order in which Gunicorn calls them, and the loss without each."""


def check(
    path: str, namespace: Mapping[str, object], source: str, *, needed: bool, sets_exporter: bool
) -> Steps[None]:
    """Find hooks that are missing, in the wrong slot, or not ours.

    Args:
        path: The configuration.
        namespace: Its names.
        source: Its text.
        needed: False if ``opentelemetry-instrument`` makes the exporter, which needs no hooks.
        sets_exporter: True if the configuration sets ``OTEL_TRACES_EXPORTER``.
    """
    ours, imported = ours_in(namespace), _imported(source)
    missing = [slot for slot in _MISSING if namespace.get(slot) is None]
    strays = {
        name: ", ".join(slot for slot, _ in found) for name, found in ours.items() if name not in _MISSING
    }
    if missing and not needed:
        why = "the environment names an exporter that opentelemetry-instrument makes"
        text = f"{', '.join(missing)} not in {path}, and not needed: {why}"
        yield ok("hooks-not-needed", text, brief="no hooks needed by opentelemetry-instrument")
    elif len(missing) == len(_MISSING):
        names = ", ".join(f"{name} ({slot})" for name, slot in strays.items())
        stray = f"; it has ours under names that Gunicorn does not look at: {names}" if names else ""
        made = telemetries(namespace)
        advice = _how_to_hook(path, bool(made), sets_exporter)
        text, todo = f"{path} has none of the three hooks{stray}", _lines_to_add(path, namespace, made)
        yield broken("hooks-missing", text, advice, todo=todo)
        return
    for slot, loss in _MISSING.items():
        if slot in missing:
            near = next((name for name, of in strays.items() if of == slot), None)
            rename = f"rename {near} to {slot}: Gunicorn does not look at {near}"
            advice = rename if near else f"add {slot} to the import: {LINE}"
            if needed:
                level = warning if slot == "post_fork" else broken
                todo = () if near else (f"import all three hooks in {path}:", LINE)
                yield level("hook-missing", f"the hook {slot} is missing: {loss}", advice, todo=todo)
        elif slot not in ours:
            alias = next((name for name, of in strays.items() if slot in of.split(", ")), None)
            yield _foreign(slot, namespace[slot], imported.get(slot), alias)
        elif (belongs := ours[slot][0][0]) != slot:
            advice = f"import each under its own name: {LINE}"
            yield broken("hook-wrong-slot", f"{slot} is our hook for {belongs}", advice)
    if all(slot in ours and ours[slot][0][0] == slot for slot in _MISSING):
        yield ok("hooks", f"{path} has all three hooks", brief="all three hooks")
    if len(telemetries(namespace)) > 1:
        text = "the hooks belong to different Telemetry objects: one is prepared and started, another stopped"
        advice = "make one: post_fork, post_worker_init, worker_exit = hooks(Telemetry())"
        yield broken("hooks-of-several", text, advice)


def telemetries(namespace: Mapping[str, object]) -> list[Telemetry]:
    """Return the objects that the hooks start and stop, each once, or else those that stand there."""
    ours = ours_in(namespace)
    hooked = [telemetry for slot in _MISSING for _, telemetry in ours.get(slot, ())]
    hooked = hooked or [telemetry for found in ours.values() for _, telemetry in found]
    there = [value for value in namespace.values() if issubclass(type(value), Telemetry)]
    return list(dict.fromkeys(hooked or there))  # type: ignore[arg-type]


def ours_in(namespace: Mapping[str, object]) -> dict[str, list[tuple[str, Telemetry]]]:
    """Return the names that hold hooks of ours, with the slot and the ``Telemetry`` of each hook."""
    found: dict[str, list[tuple[str, Telemetry]]] = {}
    for name, value in namespace.items():
        # Not isinstance, which asks for __class__: a lazy object may set itself up by that, and fail.
        hooks = list(value) if issubclass(type(value), Hooks) else [value]  # type: ignore[call-overload]
        if known := [origin for origin in map(_origin_of, hooks) if origin is not None]:
            found[name] = known
    return found


def _imported(source: str) -> dict[str, int]:
    """Return the names that the configuration imports from our hooks, each with its line."""
    return {
        bound: node.lineno
        for node in ast.parse(source).body
        if isinstance(node, ast.ImportFrom) and node.module == "breaker_exporter.gunicorn"
        for name in node.names
        for bound in ([*_MISSING] if name.name == "*" else [name.asname or name.name])
    }


def _foreign(slot: str, hook: object, imported: int | None, alias: str | None) -> Finding:
    at = f" (line {hook.__code__.co_firstlineno})" if type(hook) is FunctionType else ""
    if imported:
        text = f"{slot}{at} takes the place of our hook, which line {imported} imports"
        advice = f"import ours as telemetry_{slot}, and call that in yours with the same arguments"
        return broken("hook-overridden", text, advice)
    if alias:
        return ok("hook-own", f"{slot}{at} is your own, and is taken to call {alias}, which is ours")
    text = f"{slot}{at} is your own, and the doctor does not see if it calls ours"
    advice = f"call breaker_exporter.gunicorn.{slot} in it with the same arguments; if it does, all is well"
    return warning("hook-unknown", text, advice)


def _how_to_hook(path: str, has_telemetry: bool, sets_exporter: bool) -> str:
    if sets_exporter:
        return (
            f"add the line: {LINE}; or set OTEL_TRACES_EXPORTER where opentelemetry-instrument is started, "
            f"which needs no hooks: it does not see what {path} sets"
        )
    if has_telemetry:
        return (
            "nothing starts your Telemetry, add: from breaker_exporter.gunicorn import hooks; "
            "post_fork, post_worker_init, worker_exit = hooks(...), with your Telemetry in it"
        )
    return f"add the line: {LINE}; a Telemetry that the application starts itself is not seen here"


def _lines_to_add(path: str, namespace: Mapping[str, object], made: list[Telemetry]) -> tuple[str, ...]:
    """Return what to add to a configuration without hooks; nothing for a ``Telemetry`` without a name."""
    if not made:
        return (f"add this line to {path}:", LINE)
    for name, value in namespace.items():
        if any(value is each for each in made):
            start = f"post_fork, post_worker_init, worker_exit = hooks({name})"
            return (f"add these lines to {path}:", "from breaker_exporter.gunicorn import hooks", start)
    return ()
