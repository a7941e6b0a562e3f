"""The installations to try, and the checks for each: every extra alone, and those that the docs name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from . import checks, services
from .check import Check

WORKERS = ("sync", "gthread", "gevent", "gevent_pywsgi")
"""Gunicorn's worker classes that the hooks serve."""
_GRPC = "grpc"


@dataclass(frozen=True)
class Case:
    """One installation, ``pip install "breaker-exporter[extras]" more``, and the checks that boot in it."""

    extras: str
    checks: tuple[Check, ...]
    more: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The installation as on pip's command line."""
        return " ".join((f"[{self.extras}]" if self.extras else "no extra", *self.more))

    def requirements(self, wheel: Path) -> list[str]:
        """Return what pip has to install: the wheel with the extras, and more."""
        return [f"{wheel}[{self.extras}]" if self.extras else str(wheel), *self.more]


# The longest first, so that both lanes end at about the same time.
CASES = (
    Case("demo", (checks.demo(),)),
    Case(
        "gunicorn,grpc",
        (
            *(services.gunicorn(worker, protocol=_GRPC) for worker in WORKERS),
            checks.doctor(protocol=_GRPC, worker="gevent"),
        ),
    ),
    Case(
        "gunicorn",
        (
            *(services.gunicorn(worker) for worker in WORKERS),
            services.example("gunicorn_basic", "app:app", has_sentry=False),
            services.metrics_pushed(),
            checks.doctor(worker="gevent"),
        ),
    ),
    Case(
        "gunicorn,sentry",
        (
            services.gunicorn_sentry("gthread"),
            services.gunicorn_sentry("gevent"),
            checks.doctor(worker="gevent", has_sentry=True),
        ),
    ),
    Case(
        "all",
        (services.gunicorn_sentry("sync"), services.gunicorn_sentry("gevent", protocol=_GRPC)),
    ),
    Case(
        "gunicorn",
        tuple(services.zero_code(worker) for worker in WORKERS),
        ("opentelemetry-distro", "opentelemetry-instrumentation-flask", "flask"),
    ),
    Case(
        "gunicorn,grpc",
        tuple(services.zero_code(worker, protocol=_GRPC) for worker in ("sync", "gevent")),
        ("opentelemetry-distro", "opentelemetry-instrumentation-flask", "flask"),
    ),
    Case(
        "gunicorn,sentry",
        (services.example("flask_sentry", "app:app", has_sentry=True),),
        ("flask", "opentelemetry-instrumentation-flask"),
    ),
    Case(
        "gunicorn,sentry",
        (services.example("django_sentry", "wsgi:application", has_sentry=True),),
        ("django", "opentelemetry-instrumentation-django"),
    ),
    Case(
        "gunicorn",
        (services.three_signals(),),
        ("flask", "opentelemetry-instrumentation-flask", "opentelemetry-instrumentation-logging"),
    ),
    Case("gunicorn", (services.metrics_scraped(),), ("opentelemetry-exporter-prometheus",)),
    Case("sentry", (checks.sentry("otlp"), checks.sentry("span_processor"))),
    Case(
        "otlp",
        (
            checks.readme("otlp"),
            checks.script("wrapped", "http"),
            checks.script("started"),
            checks.collector(speaks_grpc=False),
            checks.doctor(),
        ),
    ),
    Case("live", (checks.live_table(),)),
    Case("live,grpc", (checks.live_table(),)),
    Case("grpc", (checks.script("started", protocol=_GRPC), checks.doctor(protocol=_GRPC))),
    Case("grpc,otlp", (checks.collector(speaks_grpc=True),)),
    Case(
        "grpc",
        (checks.script("wrapped", "grpc", protocol=_GRPC),),
        ("opentelemetry-exporter-otlp-proto-grpc",),
    ),
    Case("gevent", (checks.script("foreign", "gevent"),)),
    Case(
        "",
        (checks.script("foreign"), checks.doctor_without_an_exporter(), checks.pytest_plugin()),
        ("pytest",),
    ),
)
