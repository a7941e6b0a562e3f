"""What is wrong with a Gunicorn configuration that was evaluated: workers, hooks and their order."""

from __future__ import annotations

import difflib
from typing import Any

from .._base.redaction import shown
from . import versions
from .finding import Steps, broken, ok, warning

_LINE = "from breaker_exporter.gunicorn import post_fork, post_worker_init, worker_exit"
_GEVENT = ("gevent", "gevent_pywsgi", "gevent_wsgi")
_MISSING = {
    "post_fork": "the provider is made only after the application is loaded: spans of its loading are "
    "lost, and a provider that it sets itself wins",
    "post_worker_init": "no exporter is ever started: no spans leave the worker",
    "worker_exit": "what is queued when a worker stops is lost, and nothing bounds its end",
}


def is_gevent(seen: dict[str, Any]) -> bool:
    """Whether workers are gevent's, be it installed or not."""
    return seen.get("worker_kind") in _GEVENT


def check_worker(seen: dict[str, Any]) -> Steps[None]:
    """Whether workers of the class can be had, and are known here."""
    name, kind = shown(seen["worker_class"]), seen["worker_kind"]
    if kind == "eventlet":
        yield broken(
            "worker-class",
            f"the worker class {name} is eventlet's, which this package does not know",
            'worker_class = "gevent", or "gthread"',
        )
    elif "worker_error" in seen:
        yield broken(
            "worker-class",
            f"the worker class {name} cannot be loaded: {seen['worker_error']}",
            _how_to_load(seen),
        )
    elif kind in ("tornado", "other"):
        yield warning(
            "worker-class",
            f"the worker class is {name}, with which this package was not tested",
            'tested are "gevent", "sync" and "gthread", and subclasses of them',
        )
    else:
        hint = (
            ""
            if seen["worker_named"]
            else "with -k on Gunicorn's command line, say it in GUNICORN_CMD_ARGS here"
        )
        yield ok("worker-class", f"worker class {name}", hint)


def _how_to_load(seen: dict[str, Any]) -> str:
    """Advice for a worker class that cannot be loaded."""
    missing = seen["worker_missing"]
    if missing == "gevent" or (missing is None and seen["worker_kind"] in _GEVENT):
        return 'pip install --upgrade "breaker-exporter[gunicorn]", which brings gevent'
    if missing is None:
        near = difflib.get_close_matches(str(seen["worker_class"]), seen.get("workers", []), 1)
        return f'did you mean "{near[0]}"?' if near else "mend worker_class, or install what it needs"
    for extra in versions.extras_with(missing, of="gunicorn"):
        return f'pip install {missing}, or "gunicorn[{extra}]", which brings it'
    return f"mend worker_class, or install what has the module {missing}"


def _how_to_hook(path: str, seen: dict[str, Any]) -> str:
    """Advice for a configuration without hooks."""
    if "OTEL_TRACES_EXPORTER" in seen.get("changes", {}):
        return (
            f"add the line: {_LINE}; or set OTEL_TRACES_EXPORTER where opentelemetry-instrument is started, "
            f"which needs no hooks: it does not see what {path} sets"
        )
    if seen["telemetries"]:
        return (
            "add: from breaker_exporter.gunicorn import hooks; post_fork, post_worker_init, worker_exit = "
            "hooks(...), with your Telemetry in it, which nothing starts as it is"
        )
    return f"add the line: {_LINE}; a Telemetry that the application starts itself is not seen here"


def check_slots(path: str, seen: dict[str, Any], zero_code: bool) -> Steps[None]:
    """Check that each hook is in its slot; with `zero_code` none is needed."""
    slots, strays = seen["slots"], seen["strays"]
    states = {slot: state for slot, (state, _, _) in slots.items()}
    if zero_code:
        missing = [slot for slot, state in states.items() if state == "missing"]
        if missing:
            yield ok(
                "hooks-not-needed",
                f"{', '.join(missing)} not in {path}, and not needed: OTEL_TRACES_EXPORTER names an "
                "exporter that opentelemetry-instrument makes",
            )
        slots = {slot: slots[slot] for slot in slots if slot not in missing}
    elif set(states.values()) == {"missing"}:
        where = ""
        if strays:
            names = ", ".join(f"{name} ({slot})" for name, slot in strays.items())
            where = f"; ours are there under names that Gunicorn does not look at: {names}"
        yield broken(
            "hooks-missing", f"none of the three hooks is in {path}{where}", _how_to_hook(path, seen)
        )
        return
    for slot, (state, line, note) in slots.items():
        at = f" (line {line})" if line else ""
        if state == "missing":
            stray = next((name for name, of in strays.items() if of == slot), None)
            near = stray or next(iter(difflib.get_close_matches(slot, seen.get("names", []), 1, 0.75)), None)
            yield (warning if slot == "post_fork" else broken)(
                "hook-missing",
                f"the hook {slot} is missing: {_MISSING[slot]}",
                f"{near} is not looked at by Gunicorn: name it {slot}"
                if near
                else f"add {slot} to the import: {_LINE}",
            )
        elif state == "wrong-slot":
            yield broken(
                "hook-wrong-slot",
                f"{slot} is our hook for {note}{at}",
                f"each under its own name, in this order: {_LINE}",
            )
        elif state == "overridden":
            yield broken(
                "hook-overridden",
                f"{slot}{at} takes the place of ours, imported in line {note}, and does not call it",
                f"import ours as telemetry_{slot}, and call that in your own",
            )
        elif state == "unknown":
            yield warning(
                "hook-unknown",
                f"{slot}{at} is not ours, and whether it calls ours cannot be seen",
                f"call breaker_exporter.gunicorn.{slot} in it, with what it got",
            )
    good = [slot for slot, state in states.items() if state in ("ours", "calls-ours")]
    if len(good) == len(states):
        own = [slot for slot in good if states[slot] == "calls-ours"]
        yield ok(
            "hooks",
            f"all three hooks are in {path}" + (f"; your own {', '.join(own)} call ours" if own else ""),
        )
    if seen["telemetries"] > 1:
        yield broken(
            "hooks-of-several",
            "the hooks belong to different Telemetry objects: what one prepares and starts, the other does "
            "not stop",
            "make one: post_fork, post_worker_init, worker_exit = hooks(Telemetry())",
        )


def check_order(seen: dict[str, Any]) -> Steps[None]:
    """Whether the monkey patch, ssl, Sentry and the provider come in the order that works."""
    gevent = is_gevent(seen)
    held: dict[str, list[str]] = {}
    for module, place in seen["holders"]:
        held.setdefault(place, []).append(module)
    early = "; ".join(f"{where} ({', '.join(modules[:3])})" for where, modules in held.items())
    if early and (gevent or seen["patched"]):
        yield broken(
            "ssl-before-patch",
            f"modules take SSLContext from ssl before gevent patches it: {early}",
            "import them in the application instead: with urllib3 it ends in RecursionError at the first "
            "HTTPS request. Or put 'from gevent import monkey; monkey.patch_all()' at the very top",
        )
    elif early and not seen["worker_named"]:
        yield warning(
            "ssl-early",
            f"modules take SSLContext from ssl in the configuration: {early}",
            "harmless but for gevent: with -k gevent on the command line, which is not seen here, import "
            "them in the application instead",
        )
    elif early:
        yield ok(
            "ssl-early",
            f"modules that hold ssl are imported before the workers: {early}; harmless but for gevent",
        )
    elif gevent:
        when = "by the configuration itself" if seen["patched"] else "in the worker, after post_fork"
        yield ok("gevent-patch", f"gevent patches {when}, and nothing in the configuration takes ssl before")
    if gevent and seen.get("preload_app") and not seen["patched"]:
        yield warning(
            "preload-before-patch",
            "preload_app loads the application in the arbiter, before gevent patches: what it imports may "
            "hold ssl and native locks",
            "put 'from gevent import monkey; monkey.patch_all()' at the top of the configuration, or no "
            "preload_app",
        )
    if seen["patched"] and not gevent:
        yield warning(
            "patched-without-gevent",
            "the configuration monkey-patches by gevent, and the worker class is not gevent's",
            'worker_class = "gevent", or take the patch away',
        )
    if seen["sentry_client"]:
        yield (broken if gevent and not seen["patched"] else warning)(
            "sentry-in-conf",
            "sentry_sdk.init is called in the configuration, in the arbiter, before fork and monkey patch",
            "take it out: with SENTRY_DSN set post_worker_init does it, or initialise it in the application",
        )
    if seen["provider"]:
        yield warning(
            "provider-in-conf",
            f"a {seen['provider']} is set in the configuration: the hooks leave it alone, and guard "
            "nothing of it",
            "take it out, or give it to hooks(Telemetry(provider=...))",
        )
    if seen["running"]:
        yield warning(
            "threads-in-conf",
            f"the configuration starts threads ({', '.join(seen['running'][:3])}), which no worker gets",
            "start them in post_worker_init: a fork takes no threads along, only the locks they hold",
        )


def check_names(seen: dict[str, Any]) -> Steps[None]:
    """Settings of Gunicorn that are misspelt."""
    for name in seen.get("names", []):
        near = difflib.get_close_matches(name, seen["settings"], 1, 0.88)
        if near and name not in seen["strays"]:
            yield warning(
                "conf-name",
                f"{name} is no setting of Gunicorn, and has no effect",
                f"did you mean {near[0]}?",
            )
