"""Sampler and span limits as the environment has them, as arguments of a ``TracerProvider``."""

from __future__ import annotations

from importlib.metadata import entry_points

from opentelemetry.sdk.trace import SpanLimits, sampling

from .._base.redaction import origin, shown
from .environment import SAMPLER, SAMPLER_ARGUMENT, SAMPLER_GROUP, SPAN_ATTRIBUTES, Environment

_COUNT = 128
"""Attributes, events, links: OpenTelemetry's default for each."""
_LIMITS = {
    "OTEL_ATTRIBUTE_COUNT_LIMIT": "max_attributes",
    SPAN_ATTRIBUTES: "max_span_attributes",
    "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT": "max_event_attributes",
    "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT": "max_link_attributes",
    "OTEL_SPAN_EVENT_COUNT_LIMIT": "max_events",
    "OTEL_SPAN_LINK_COUNT_LIMIT": "max_links",
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "max_attribute_length",
    "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": "max_span_attribute_length",
}


def span_limits(environment: Environment) -> SpanLimits:
    """OpenTelemetry reads them itself, an empty one as no limit; bad ones are given their defaults."""
    bad = environment.bad_limits()
    all_counts = environment.limit("OTEL_ATTRIBUTE_COUNT_LIMIT")
    all_lengths = environment.limit("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT")
    given: dict[str, int] = {}
    for name in bad:
        if "LENGTH" in name:
            given[_LIMITS[name]] = SpanLimits.UNSET if all_lengths is None else all_lengths
        elif "ATTRIBUTE" in name:
            given[_LIMITS[name]] = _COUNT if all_counts is None else all_counts
        else:
            given[_LIMITS[name]] = _COUNT
    return SpanLimits(**given)


def sampler_of(environment: Environment, default: str) -> sampling.Sampler:
    """The sampler; `default` is the name of one where the environment has none that can be used."""
    name, ratio = environment.sampler(default)
    known: dict[str, sampling.Sampler] = {
        "always_on": sampling.ALWAYS_ON,
        "always_off": sampling.ALWAYS_OFF,
        "parentbased_always_on": sampling.DEFAULT_ON,
        "parentbased_always_off": sampling.DEFAULT_OFF,
    }
    if name in known:
        return known[name]
    if ratio is not None:
        by_ratio = sampling.TraceIdRatioBased(ratio)
        return sampling.ParentBased(by_ratio) if name.startswith("parentbased") else by_ratio
    return _installed(name, environment) or known[default]


def _installed(name: str, environment: Environment) -> sampling.Sampler | None:
    """One of another package, made as OpenTelemetry's own configuration makes it."""
    failure = "it gives no Sampler"
    try:
        (entry_point, *_) = entry_points(group=SAMPLER_GROUP, name=name)
        sampler = entry_point.load()(environment.value(SAMPLER_ARGUMENT))
        if isinstance(sampler, sampling.Sampler):
            return sampler
    except Exception as error:
        failure = origin(error)
    environment.complain(f"{SAMPLER}={shown(name)} cannot be used: {failure}", "using the default")
    return None
