"""Sampler, ids and span limits as the environment has them, as arguments of a ``TracerProvider``."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import cast

from opentelemetry.sdk.trace import SpanLimits, sampling
from opentelemetry.sdk.trace.id_generator import IdGenerator

from .._base.environment import Environment
from .._base.redaction import origin, shown
from .provider_variables import (
    ID_GENERATOR,
    ID_GENERATOR_GROUP,
    LIMITS,
    SAMPLER,
    SAMPLER_ARGUMENT,
    SAMPLER_GROUP,
    bad_limits,
    sampler,
)


def span_limits(environment: Environment) -> SpanLimits:
    """OpenTelemetry reads them itself, an empty one as no limit; bad ones are given their defaults."""
    all_counts = environment.in_force(LIMITS["max_attributes"])
    all_lengths = environment.in_force(LIMITS["max_attribute_length"])
    given: dict[str, int | None] = {}
    for name in bad_limits(environment):
        if "length" in name:
            given[name] = all_lengths
        else:
            given[name] = all_counts if "attributes" in name else LIMITS[name].default
    return SpanLimits(**{name: SpanLimits.UNSET if limit is None else limit for name, limit in given.items()})


def sampler_of(environment: Environment, default: str) -> sampling.Sampler:
    """The sampler; `default` is the name of one where the environment has none that can be used."""
    name, ratio = sampler(environment, default)
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
    argument = environment.value(SAMPLER_ARGUMENT.variable)
    made = _installed(
        SAMPLER.variable, name, SAMPLER_GROUP, lambda make: make(argument), sampling.Sampler, environment
    )
    return cast("sampling.Sampler | None", made) or known[default]


def id_generator_of(environment: Environment) -> IdGenerator | None:
    """The id generator that is named; ``None`` for OpenTelemetry's default."""
    name = environment.value(ID_GENERATOR.variable)
    if name is None:
        return None
    made = _installed(
        ID_GENERATOR.variable, name, ID_GENERATOR_GROUP, lambda make: make(), IdGenerator, environment
    )
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
