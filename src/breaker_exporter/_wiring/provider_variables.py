"""The variables that providers are made by, with OpenTelemetry's defaults. The SDK is not imported.

On some bad values the SDK raises whatever arguments it gets, some of them while it is imported.
"""

from __future__ import annotations

import contextlib
import sys
from dataclasses import replace
from importlib.metadata import entry_points

from .._base import checks as check
from .._base.environment import Environment
from .._base.redaction import shown
from .._base.setting import RATIO, Kind, Setting, words

SAMPLER_GROUP = "opentelemetry_traces_sampler"
"""Entry points of samplers that are installed, which ``OTEL_TRACES_SAMPLER`` may name too."""
ID_GENERATOR_GROUP = "opentelemetry_id_generator"
"""Entry points of id generators."""
SDK_PROVIDER = "sdk_tracer_provider"
"""The name of the SDK's own."""
_SAMPLERS = (
    *("always_on", "always_off", "traceidratio"),
    *("parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"),
)
_COUNT = 128


def _sampler(name: str, value: object) -> str:
    if entry_points(group=SAMPLER_GROUP, name=str(value)) and value not in _SAMPLERS:
        return str(value)
    return check.one_of(*_SAMPLERS)(name, str(value).lower())


def _limit(name: str, value: object) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"{name} must be a whole number, 0 or more, not {shown(value)}")
    return value


def _limited(variable: str, default: int | None, about: str) -> Setting[int | None]:
    kind = Kind[int | None]("a whole number, 0 or more", _limit, int)
    return Setting(variables=(f"OTEL_{variable}_LIMIT",), kind=kind, default=default, about=about)


SAMPLER = Setting(
    variables=("OTEL_TRACES_SAMPLER",),
    kind=Kind(f"one of {', '.join(_SAMPLERS)}", _sampler),
    default="parentbased_always_on",
    about="which traces that begin here are recorded; it may also name a sampler that is installed as an "
    "entry point. The profile sets the default",
)
SAMPLER_ARGUMENT = Setting(
    variables=("OTEL_TRACES_SAMPLER_ARG",),
    kind=RATIO,
    default=1.0,
    fallback="1.0",
    about="the share of a sampler whose name ends in `ratio`",
)
ID_GENERATOR = Setting[str | None](
    variables=("OTEL_PYTHON_ID_GENERATOR",),
    kind=Kind("an installed id generator", check.text),
    default=None,
    fallback="random",
    about="by its entry point",
)
TRACER_PROVIDER = Setting(
    variables=("OTEL_PYTHON_TRACER_PROVIDER",),
    kind=Kind(f"a tracer provider that can be made, such as {SDK_PROVIDER}", check.text),
    default=SDK_PROVIDER,
    about="by its entry point",
)
LIMITS = {
    "max_attributes": _limited("ATTRIBUTE_COUNT", _COUNT, "attributes of a span, event or link"),
    "max_span_attributes": _limited(
        "SPAN_ATTRIBUTE_COUNT", _COUNT, "attributes of a span; without it, the limit for all"
    ),
    "max_event_attributes": _limited(
        "EVENT_ATTRIBUTE_COUNT", _COUNT, "attributes of an event; without it, the limit for all"
    ),
    "max_link_attributes": _limited(
        "LINK_ATTRIBUTE_COUNT", _COUNT, "attributes of a link; without it, the limit for all"
    ),
    "max_events": _limited("SPAN_EVENT_COUNT", _COUNT, "events of a span"),
    "max_links": _limited("SPAN_LINK_COUNT", _COUNT, "links of a span"),
    "max_attribute_length": _limited("ATTRIBUTE_VALUE_LENGTH", None, "characters of an attribute's value"),
    "max_span_attribute_length": _limited(
        "SPAN_ATTRIBUTE_VALUE_LENGTH",
        None,
        "characters in attributes of a span; without it, the limit for all",
    ),
}
"""The span limits by the argument of ``SpanLimits``; an empty variable means that there is no limit."""
LOG_LIMITS = (
    _limited(
        "LOGRECORD_ATTRIBUTE_COUNT", _COUNT, "attributes of a log record; without it, the limit for all"
    ),
    _limited(
        "LOGRECORD_ATTRIBUTE_VALUE_LENGTH",
        None,
        "characters in attributes of a log record; without it, the limit for all",
    ),
)
LOGGER_PROVIDER = Setting(
    variables=("OTEL_PYTHON_LOGGER_PROVIDER",),
    kind=Kind("a logger provider that can be made, such as sdk_logger_provider", check.text),
    default="sdk_logger_provider",
    about="by its entry point; another than the SDK's is left alone",
)
EXEMPLAR_FILTER = Setting(
    variables=("OTEL_METRICS_EXEMPLAR_FILTER",),
    kind=words("trace_based", "always_on", "always_off"),
    default="trace_based",
    about="which measurements become exemplars",
)
DECLARED = (
    *(SAMPLER, SAMPLER_ARGUMENT, ID_GENERATOR, TRACER_PROVIDER, *LIMITS.values()),
    *(*LOG_LIMITS, LOGGER_PROVIDER, EXEMPLAR_FILTER),
)


def sampler(environment: Environment, default: str) -> tuple[str, float | None]:
    """The sampler's name, and its ratio where it has one.

    Args:
        environment: The variables.
        default: The name where the environment has none that can be used.

    Raises:
        TelemetryError: A variable is bad, where strict.
    """
    named = environment.in_force(replace(SAMPLER, default=default))
    if named not in _SAMPLERS or not named.endswith("ratio"):
        return named, None
    return named, environment.in_force(SAMPLER_ARGUMENT)


def bad_limits(environment: Environment) -> set[str]:
    """Arguments of ``SpanLimits`` on whose variables OpenTelemetry would raise.

    Raises:
        TelemetryError: There is one, where strict.
    """
    given = {name: limit for name, limit in LIMITS.items() if environment.value(limit.variable) is not None}
    return {name for name, limit in given.items() if environment.get(limit) is None}


def check_provider(environment: Environment, default_sampler: str) -> None:
    """Complain of what a ``TracerProvider`` cannot be made of.

    Raises:
        TelemetryError: A variable is bad, where strict.
    """
    sampler(environment, default_sampler)
    bad_limits(environment)


def importable(environment: Environment) -> contextlib.AbstractContextManager[None]:
    """Inside, ``opentelemetry.sdk.trace`` can be imported, which raises on one of the limits."""
    name = "max_span_attributes"
    is_loaded = "opentelemetry.sdk.trace" in sys.modules
    is_bad = not is_loaded and name in bad_limits(environment)
    return environment.hidden(LIMITS[name].variables if is_bad else ())
