"""Sentry's settings: their declarations, and the object that gives them in code."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from .._base import checks as check
from .._base.redaction import shown
from .._base.setting import RATIO, Kind, Setting, members, switch

_OURS = frozenset({"dsn", "release", "environment", "traces_sample_rate", "instrumenter"})
"""Options of ``sentry_sdk.init`` that have an argument or follow from the mode."""


class SentryMode(enum.StrEnum):
    """The way of spans to Sentry; the values are those of ``BREAKER_EXPORTER_SENTRY_MODE``."""

    OTLP = "otlp"
    """As OpenTelemetry's spans, to Sentry's OTLP endpoint, by an exporter and a circuit of their own."""
    SPAN_PROCESSOR = "span_processor"
    """As Sentry's transactions, which the SDK makes of them (``instrumenter="otel"``)."""
    OFF = "off"
    """Sentry is left alone."""


_TEXT = Kind("a string", check.text)
DSN = Setting[str | None](
    variables=("SENTRY_DSN",),
    argument="dsn",
    kind=_TEXT,
    default=None,
    about="where Sentry is; without it there is no Sentry. Never logged",
)
MODE = Setting(
    variables=("BREAKER_EXPORTER_SENTRY_MODE",),
    argument="mode",
    kind=members(SentryMode),
    default=SentryMode.OTLP,
    about="how spans get to [Sentry](../how-to/sentry.md); where it is set without a DSN, an application's "
    "own client is used",
)
ENVIRONMENT = Setting[str | None](
    variables=("SENTRY_ENVIRONMENT",),
    argument="environment",
    kind=_TEXT,
    default=None,
    fallback="Sentry's: `production`",
    about="the environment that events name",
)
RELEASE = Setting[str | None](
    variables=("SENTRY_RELEASE",),
    argument="release",
    kind=_TEXT,
    default=None,
    fallback="`service.name@service.version` of the resource, else Sentry's",
    about="the release that events name",
)
TRACES_SAMPLE_RATE = Setting(
    variables=("SENTRY_TRACES_SAMPLE_RATE",),
    argument="traces_sample_rate",
    kind=RATIO,
    default=1.0,
    fallback="1.0",
    about="the share of the traces that goes to Sentry",
)
LOGS = Setting(
    variables=("BREAKER_EXPORTER_SENTRY_LOGS",),
    argument="logs",
    kind=switch(),
    default=False,
    about="1: log records go to [Sentry](../how-to/sentry.md#logs-and-metrics) too, by OTLP",
)
DECLARED = (DSN, MODE, ENVIRONMENT, RELEASE, TRACES_SAMPLE_RATE, LOGS)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Sentry:
    """Settings of Sentry, for a ``Telemetry`` or for :func:`~breaker_exporter.sentry.connect_sentry`.

    What is left out comes from the environment, then from the defaults. A client that the application has
    initialised keeps its own DSN, release, environment and options.

    Attributes:
        dsn: The DSN of the Sentry project; ``SENTRY_DSN``. Empty: Sentry is off, unless the application has
            initialised it.
        mode: How spans get to Sentry; ``BREAKER_EXPORTER_SENTRY_MODE``. Default ``SentryMode.OTLP``.
        release: ``SENTRY_RELEASE``. Default: the resource's ``service.name@service.version``, where it has
            both, else what sentry-sdk finds.
        environment: ``SENTRY_ENVIRONMENT``. Default: sentry-sdk's, ``production``.
        traces_sample_rate: The share of traces, from 0 to 1, that goes to Sentry;
            ``SENTRY_TRACES_SAMPLE_RATE``. Default 1. Other exporters get all of them. With
            ``SentryMode.OTLP`` it is never passed to ``sentry_sdk.init``, where it would unlink errors from
            traces.
        logs: Send log records to Sentry's OTLP endpoint too, where sentry-sdk does not send them itself; with
            the Gunicorn hooks and ``Telemetry`` in ``SentryMode.OTLP`` alone.
            ``BREAKER_EXPORTER_SENTRY_LOGS``. Default ``False``.
        report_transitions: Report circuits that open and close, as
            :func:`~breaker_exporter.sentry.report_transition` does: those of every exporter of a
            ``Telemetry``, or that of ``connect_sentry``.
        options: More options of ``sentry_sdk.init``.

    Raises:
        TypeError: A value is of the wrong type.
        ValueError: One is out of range, or an option has an attribute of its own here.
    """

    dsn: str | None = None
    mode: SentryMode | None = None
    release: str | None = None
    environment: str | None = None
    traces_sample_rate: float | None = None
    logs: bool | None = None
    report_transitions: bool = False
    options: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.dsn is not None and not isinstance(self.dsn, str):
            raise TypeError(f"dsn must be a string, not {type(self.dsn).__name__}")
        if self.mode is not None and not isinstance(self.mode, SentryMode):
            raise TypeError(f"mode must be a SentryMode, not {shown(self.mode)}")
        for name in ("release", "environment"):
            if getattr(self, name) is not None:
                check.text(name, getattr(self, name))
        if self.traces_sample_rate is not None:
            check.ratio("traces_sample_rate", self.traces_sample_rate)
        if self.logs is not None and not isinstance(self.logs, bool):
            raise TypeError(f"logs must be True or False, not {shown(self.logs)}")
        if not isinstance(self.report_transitions, bool):
            raise TypeError(f"report_transitions must be True or False, not {shown(self.report_transitions)}")
        if not isinstance(self.options, Mapping):
            raise TypeError(f"options must be a mapping, not {type(self.options).__name__}")
        if taken := sorted(_OURS.intersection(self.options)):
            raise ValueError(f"options must not have {', '.join(taken)}: the mode or an argument sets that")

    def __repr__(self) -> str:
        """The attributes that were given: the DSN without its key, the options without their values."""
        values = {name: repr(getattr(self, name)) for name in given_attributes(self)}
        if self.dsn:  # without an @, all of it may be the key
            values["dsn"] = shown(self.dsn) if "@" in self.dsn else "'***'"
        if self.options:
            values["options"] = f"{{{', '.join(f'{name!r}: ...' for name in self.options)}}}"
        return f"{type(self).__name__}({', '.join(f'{name}={value}' for name, value in values.items())})"


_NOTHING_GIVEN = Sentry()


def given_attributes(sentry: Sentry) -> list[str]:
    """The names of the attributes that `sentry` sets, in their order."""
    names = [each.name for each in fields(sentry)]
    return [name for name in names if getattr(sentry, name) != getattr(_NOTHING_GIVEN, name)]


def check_sentry(value: object) -> Sentry:
    """Check an argument named ``sentry``.

    Raises:
        TypeError: It is no :class:`Sentry`.
    """
    if not isinstance(value, Sentry):
        raise TypeError(f"sentry must be a Sentry, such as Sentry(dsn=...), not {shown(value)}")
    return value
