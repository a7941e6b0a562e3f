"""The order of what a configuration does: monkey patch, ssl, Sentry, provider, threads."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping

from opentelemetry import trace

from ..report import Steps, broken, ok, warning


def check(early: Mapping[str, list[str]], *, gevent: bool, named: bool, preload: bool) -> Steps[None]:
    """Find what comes too early, with the process as the configuration has left it.

    Args:
        early: Modules that took ``SSLContext`` before the patch, by where they were imported.
        gevent: True if workers are gevent's.
        named: True if the worker class is seen here.
        preload: The value of ``preload_app``.
    """
    monkey = sys.modules.get("gevent.monkey")
    patched = bool(monkey and monkey.is_module_patched("ssl"))
    yield from _check_ssl(early, gevent, patched, named)
    if gevent and preload and not patched:
        yield warning(
            "preload-before-patch",
            "preload_app loads the application in the arbiter, before gevent patches: modules that it "
            "imports may hold ssl and native locks",
            "put 'from gevent import monkey; monkey.patch_all()' at the top of the configuration, or remove "
            "preload_app",
        )
    if patched and not gevent:
        yield warning(
            "patched-without-gevent",
            "the configuration patches by gevent, and the worker class is not gevent's",
            'set worker_class = "gevent", or remove the patch',
        )
    sentry_sdk = sys.modules.get("sentry_sdk")
    if sentry_sdk and sentry_sdk.is_initialized():
        yield (broken if gevent and not patched else warning)(
            "sentry-in-conf",
            "the configuration calls sentry_sdk.init in the arbiter, before fork and monkey patch",
            "remove it: with SENTRY_DSN set post_worker_init does it; or call it in the application",
        )
    provider = trace.get_tracer_provider()
    if not isinstance(provider, trace.ProxyTracerProvider):
        yield warning(
            "provider-in-conf",
            f"the configuration sets a {type(provider).__name__}: the hooks leave it alone, and none of its "
            "exporters has a circuit",
            "remove it, or give it to hooks(Telemetry(provider=...))",
        )
    running = [each.name for each in threading.enumerate() if each is not threading.main_thread()]
    if running:
        yield warning(
            "threads-in-conf",
            f"the configuration starts threads ({', '.join(running[:3])}), which no worker gets",
            "start them in post_worker_init: a fork copies the locks that they hold, and not the threads",
        )


def _check_ssl(early: Mapping[str, list[str]], gevent: bool, patched: bool, named: bool) -> Steps[None]:
    told = "; ".join(f"{place} ({', '.join(modules[:3])})" for place, modules in early.items())
    if told and (gevent or patched):
        yield broken(
            "ssl-before-patch",
            f"modules take SSLContext from ssl before gevent patches it: {told}",
            "import them in the application instead: with urllib3 it ends in RecursionError at the first "
            "HTTPS request. Or put 'from gevent import monkey; monkey.patch_all()' at the very top",
        )
    elif told:
        yield (ok if named else warning)(
            "ssl-early",
            f"modules take SSLContext from ssl in the configuration: {told}",
            "this harms gevent alone: with -k gevent on the command line, which is not seen here, import "
            "them in the application instead",
        )
    elif gevent:
        when = "in the configuration" if patched else "in the worker, after post_fork"
        yield ok("gevent-patch", f"gevent patches {when}, and no module takes ssl before")
