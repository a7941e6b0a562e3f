"""The checks of Gunicorn's configuration."""

from __future__ import annotations

from ..check import BROKEN, OK, WARNING, Check

LINE = "from breaker_exporter.gunicorn import post_fork, post_worker_init, worker_exit"
"""The line of a configuration that has all three hooks."""
CHECKS = (
    Check(
        "conf-none",
        (OK,),
        "there is no `gunicorn.conf.py` here, so no hooks were looked at; `--conf` names another file",
    ),
    Check(
        "conf-missing",
        (BROKEN,),
        "the configuration that was named does not exist",
        "name the file that Gunicorn is started with",
    ),
    Check(
        "conf-raises",
        (BROKEN,),
        "the configuration raises an exception, or ends the process: Gunicorn does not start with it",
        "correct the line that is named",
    ),
    Check(
        "conf-hangs",
        (BROKEN,),
        "the configuration was not evaluated within 20 s",
        "remove network calls and loops from it",
    ),
    Check(
        "conf-setting",
        (BROKEN,),
        "a setting of Gunicorn has a value that Gunicorn does not take, and does not start with",
        "correct the value",
    ),
    Check(
        "conf-name",
        (WARNING,),
        "a name in the configuration is nearly that of a setting of Gunicorn, and has no effect",
        "correct the name",
    ),
    Check(
        "gunicorn-missing",
        (BROKEN,),
        "there is a configuration, and Gunicorn cannot be imported",
        '`pip install "breaker-exporter[gunicorn]"`',
    ),
    Check(
        "worker-class",
        (OK, WARNING, BROKEN),
        "the worker class; a warning where this package was not tested with it, broken where it cannot "
        "be loaded or is eventlet's",
        "use `gevent`, `sync` or `gthread`, and install what it needs",
    ),
    Check(
        "hooks",
        (OK,),
        "all three hooks are in the configuration",
    ),
    Check(
        "hooks-not-needed",
        (OK,),
        "hooks are missing, and an exporter is named that `opentelemetry-instrument` makes, which needs none",
    ),
    Check(
        "hooks-missing",
        (BROKEN,),
        "none of the three hooks is there: no exporter is started",
        "add the line that imports them",
    ),
    Check(
        "hook-missing",
        (WARNING, BROKEN),
        "one of the three hooks is missing; a warning where it is `post_fork`, without which the spans "
        "of loading the application are lost",
        "add it to the import",
    ),
    Check(
        "hook-wrong-slot",
        (BROKEN,),
        "a hook of ours stands under the name of another one",
        "import each under its own name",
    ),
    Check(
        "hook-overridden",
        (BROKEN,),
        "a function of the configuration takes the place of the hook that it imports",
        "import ours under another name, and call it in yours",
    ),
    Check(
        "hook-own",
        (OK,),
        "a hook is your own, and is taken to call ours, which the configuration has under another name",
    ),
    Check(
        "hook-unknown",
        (WARNING,),
        "a hook is your own, and the doctor does not see whether it calls ours",
        "call ours in it; if it does already, all is well",
    ),
    Check(
        "hooks-of-several",
        (BROKEN,),
        "the hooks belong to different `Telemetry` objects: one is started, another one stopped",
        "make one `Telemetry`, and all hooks of it",
    ),
    Check(
        "gevent-patch",
        (OK,),
        "nothing takes `ssl` before gevent patches it",
    ),
    Check(
        "ssl-before-patch",
        (BROKEN,),
        "the configuration imports something that takes `SSLContext` from `ssl` before gevent patches "
        "it; with urllib3, the first HTTPS request then ends in a `RecursionError`",
        "import it in the application, or patch at the top of the configuration",
    ),
    Check(
        "ssl-early",
        (OK, WARNING),
        "the same without gevent; a warning where the worker class is not seen",
        "name the worker class in the configuration or in `GUNICORN_CMD_ARGS`",
    ),
    Check(
        "preload-before-patch",
        (WARNING,),
        "`preload_app` loads the application before gevent patches",
        "patch at the top of the configuration, or remove `preload_app`",
    ),
    Check(
        "patched-without-gevent",
        (WARNING,),
        "the configuration patches by gevent, and the worker class is not gevent's",
        'set `worker_class = "gevent"`, or remove the patch',
    ),
    Check(
        "sentry-in-conf",
        (WARNING, BROKEN),
        "the configuration calls `sentry_sdk.init` before the fork; broken where it does so before "
        "gevent patches",
        "remove it: with `SENTRY_DSN` set, the hooks do it; or call it in the application",
    ),
    Check(
        "provider-in-conf",
        (WARNING,),
        "the configuration sets a tracer provider, whose exporters the hooks do not guard",
        "remove it, or give it to `Telemetry(provider=...)`",
    ),
    Check(
        "threads-in-conf",
        (WARNING,),
        "the configuration starts threads, which no worker inherits",
        "start them in `post_worker_init`",
    ),
)
