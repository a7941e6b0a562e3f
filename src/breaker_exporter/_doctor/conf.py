"""Gunicorn's configuration, evaluated, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .._wiring.profiles import Profile
from .._wiring.settings import Arguments
from ..sentry._settings import Sentry, SentryMode
from . import wiring
from .evaluation import evaluated
from .exporters import needs_no_hooks
from .finding import Finding, Steps, broken, ok
from .listening import Given, Listening

_DEADLINE = 20.0
"""Seconds that a configuration may take."""


@dataclass(frozen=True, slots=True)
class Conf:
    """What Gunicorn would run with.

    Attributes:
        path: The file; ``None`` where there is none.
        given: What it gives in code.
        changes: Variables that it sets or takes away.
        gevent: Whether workers are gevent's.
        seen: Gunicorn's settings, as far as they matter.
    """

    path: str | None = None
    given: Given = field(default_factory=Given)
    changes: dict[str, str | None] = field(default_factory=dict)
    gevent: bool = False
    seen: dict[str, Any] = field(default_factory=dict)


def examine(path: str | None, deadline: float = _DEADLINE) -> Steps[Conf]:
    """Evaluate the configuration, and look at what came of it."""
    seen = evaluated(path, deadline)
    if "hangs" in seen:
        at = f"; it is at {seen['hangs']}" if seen["hangs"] else ""
        yield broken(
            "conf-hangs",
            f"{path or 'gunicorn.conf.py'} was not evaluated within {deadline:g} s{at}",
            "Gunicorn waits for it too: take network calls and loops out of it",
        )
        return Conf(path)
    path = seen.get("path", path)
    yield from _problems(path, seen)
    if "missing" in seen or "error" in seen:
        return Conf(path)
    is_gevent = wiring.is_gevent(seen)
    if path is None:
        yield ok("conf-none", "no gunicorn.conf.py here: hooks are not looked at", "name it with --conf PATH")
    if "worker_class" in seen and (path is not None or seen["worker_named"]):
        yield from wiring.check_worker(seen)
    if path is not None:
        yield from wiring.check_slots(path, seen, needs_no_hooks(Listening()))
        yield from wiring.check_order(seen)
        yield from wiring.check_names(seen)
    return Conf(path, _given(seen.get("telemetry")), seen.get("changes", {}), is_gevent, seen)


def _problems(path: str | None, seen: dict[str, Any]) -> Iterator[Finding]:
    """What keeps Gunicorn from starting."""
    if seen.get("missing"):
        yield broken("conf-missing", f"{path} does not exist", "give the file that Gunicorn is started with")
    elif "error" in seen:
        yield broken(
            "conf-raises",
            f"{path or 'the configuration'} fails: {seen['error']}",
            "mend what is named: Gunicorn does not start with it. What it sets is not seen in what follows",
        )
    elif path is not None and "gunicorn_error" in seen:
        yield broken(
            "gunicorn-missing",
            f"Gunicorn cannot be imported: {seen['gunicorn_error']}",
            'pip install "breaker-exporter[gunicorn]"',
        )
    if "settings_error" in seen:
        yield broken(
            "conf-setting", seen["settings_error"], "mend the value: Gunicorn does not start with it"
        )


def _given(said: dict[str, Any] | None) -> Given:
    if said is None:
        return Given()
    told = dict(said)
    sentry, service_name, profile = told.pop("sentry"), told.pop("service_name"), told.pop("profile")
    if sentry is not None:
        mode = sentry["mode"]
        sentry = Sentry(
            dsn=sentry["dsn"],
            mode=SentryMode(mode) if mode else None,
            traces_sample_rate=sentry["traces_sample_rate"],
        )
    return Given(Arguments(**told, profile=Profile(profile) if profile else None), service_name, sentry, True)
