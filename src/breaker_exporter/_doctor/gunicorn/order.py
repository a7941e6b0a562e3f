"""The order of what a configuration does: monkey patch, ssl, Sentry, provider, threads."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping

from opentelemetry import trace

from ..report import Steps, broken, ok, warning

_PATCH = "'from gevent import monkey; monkey.patch_all()' at the top of the configuration"


def check(early: Mapping[str, list[str]], *, gevent: bool, named: bool, preload: bool) -> Steps[None]:
    """Find what comes too early, with the process as the configuration has left it.

    Args:
        early: Modules that took ``SSLContext`` before the patch, by where they were imported.
        gevent: True if workers are gevent's.
        named: True if the worker class is seen here.
        preload: The value of ``preload_app``.
    """
    monkey, sentry_sdk = sys.modules.get("gevent.monkey"), sys.modules.get("sentry_sdk")
    patched = bool(monkey and monkey.is_module_patched("ssl"))
    modules = "; ".join(f"{place} ({', '.join(names[:3])})" for place, names in early.items())
    if modules and (gevent or patched):
        text = f"modules take SSLContext from ssl before gevent patches it: {modules}"
        advice = (
            "import them in the application instead: with urllib3 it ends in RecursionError at the first "
        )
        todo = (f"move out of the configuration, into the application: {'; '.join(early)}",)
        yield broken("ssl-before-patch", text, f"{advice}HTTPS request. Or put {_PATCH}", todo=todo)
    elif modules:
        text = f"modules take SSLContext from ssl in the configuration: {modules}"
        advice = "import them in the application instead, if -k gevent is on the command line, not seen here"
        yield (ok if named else warning)("ssl-early", text, "" if named else advice)
    elif gevent:
        place = "in the configuration" if patched else "in the worker, after post_fork"
        yield ok("gevent-patch", f"gevent patches {place}, and no module takes ssl before")
    if gevent and preload and not patched:
        text = "preload_app loads the application before gevent patches: it may take ssl and native locks"
        yield warning("preload-before-patch", text, f"put {_PATCH}, or remove preload_app")
    if patched and not gevent:
        text = "the configuration patches by gevent, and the worker class is not gevent's"
        yield warning("patched-without-gevent", text, 'set worker_class = "gevent", or remove the patch')
    if sentry_sdk and sentry_sdk.is_initialized():
        text = "the configuration calls sentry_sdk.init in the arbiter, before fork and monkey patch"
        advice = "remove it: with SENTRY_DSN set post_worker_init does it; or call it in the application"
        yield (broken if gevent and not patched else warning)("sentry-in-conf", text, advice)
    provider = trace.get_tracer_provider()
    if not isinstance(provider, trace.ProxyTracerProvider):
        text = f"the configuration sets a {type(provider).__name__}, whose exporters the hooks do not guard"
        yield warning("provider-in-conf", text, "remove it, or give it to hooks(Telemetry(provider=...))")
    running = [each.name for each in threading.enumerate() if each is not threading.main_thread()]
    if running:
        text = f"the configuration starts threads ({', '.join(running[:3])}), which no worker gets"
        advice = "start them in post_worker_init: a fork copies the locks that they hold, and not the threads"
        yield warning("threads-in-conf", text, advice)
