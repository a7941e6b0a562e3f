"""Sampler, ids and span limits as the environment has them, as arguments of a ``TracerProvider``."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import cast

from opentelemetry.sdk.trace import SpanLimits, sampling
from opentelemetry.sdk.trace.id_generator import IdGenerator

from .._base.redaction import origin, shown
from .environment import SAMPLER, SAMPLER_ARGUMENT, SAMPLER_GROUP, SPAN_ATTRIBUTES, Environment

ID_GENERATOR = "OTEL_PYTHON_ID_GENERATOR"
_ID_GENERATORS = "opentelemetry_id_generator"
"""Entry points of id generators."""
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
    argument = environment.value(SAMPLER_ARGUMENT)
    made = _installed(
        SAMPLER, name, SAMPLER_GROUP, lambda make: make(argument), sampling.Sampler, environment
    )
    return cast("sampling.Sampler | None", made) or known[default]


def id_generator_of(environment: Environment) -> IdGenerator | None:
    """The id generator that is named; ``None`` for OpenTelemetry's default."""
    name = environment.value(ID_GENERATOR)
    if name is None:
        return None
    made = _installed(ID_GENERATOR, name, _ID_GENERATORS, lambda make: make(), IdGenerator, environment)
    return cast("IdGenerator | None", made)


def _installed(
    variable: str,
    name: str,
    group: str,
    make: Callable[[Callable[..., object]], object],
    kind: type,
    environment: Environment,
) -> object:
    """An object of an installed package, made as OpenTelemetry's own configuration makes it."""
    failure = f"it gives no {kind.__name__}"
    try:
        found = list(entry_points(group=group, name=name))
        if found:
            made = make(found[0].load())
            if isinstance(made, kind):
                return made
        else:
            failure = "it is not installed"
    except Exception as error:
        failure = origin(error)
    environment.complain(f"{variable}={shown(name)} cannot be used: {failure}", "using the default")
    return None
