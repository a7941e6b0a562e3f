"""The table of settings in force: each with its value, unit and source."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from .._base.redaction import shown
from .._wiring import environment as _env
from .._wiring.environment import Environment
from .._wiring.profiles import Defaults, Profile
from .._wiring.settings import Settings
from ..otlp import _environment as variables
from ..otlp import _settings as otlp
from .finding import Setting
from .listening import Given, Listening
from .service import Service


def rows(
    settings: Settings,
    given: Given,
    environment: Listening,
    defaults: Defaults,
    batching: Mapping[str, int],
    service: Service,
) -> Iterator[Setting]:
    """All settings but Sentry's; `batching` by its variables."""
    arguments = given.arguments

    def source(argument: object, names: tuple[str, ...], value: object, default: str = "default") -> str:
        if argument:
            return "code" if value in (None, argument) else "in place of what is in code"
        name = next(filter(environment.is_set, names), None)
        if name is None:
            return default
        text = environment.value(name)
        with contextlib.suppress(TypeError, ValueError):
            if float(text or "") != value:
                return f"in place of {name}"
        return name

    def row(name: str, unit: str, names: tuple[str, ...]) -> Setting:
        value = getattr(settings, name)
        return Setting(name, value, unit, source(getattr(arguments, name), names, value))

    named = environment.profile()
    profile = arguments.profile or named or Profile.PRODUCTION
    yield Setting(
        "profile", profile.value, "", source(arguments.profile, ("BREAKER_EXPORTER_PROFILE",), None)
    )
    protocol = settings.protocol
    yield Setting("protocol", protocol, "", source(arguments.protocol, otlp.PROTOCOL.variables, None))
    endpoint = shown(endpoint_of(protocol, settings, environment)).strip("'\"")
    yield Setting("endpoint", endpoint, "", source(arguments.endpoint, otlp.ENDPOINT.variables, None))
    headers = variables.headers(environment, protocol) if settings.headers is None else settings.headers
    names = ", ".join(sorted(headers))
    yield Setting("headers", names or None, "", source(arguments.headers, otlp.HEADERS.variables, None))
    compression = variables.compression(environment, protocol)
    yield Setting("compression", compression, "", source(None, otlp.COMPRESSION.variables, None))
    yield row("timeout", "s", otlp.TIMEOUT.variables)
    for name, unit in (
        *(
            ("export_timeout", "s"),
            ("failure_threshold", "failures"),
            ("cooldown", "s"),
            ("max_cooldown", "s"),
        ),
        ("shutdown_timeout", "s"),
    ):
        yield row(name, unit, (f"BREAKER_EXPORTER_{name.upper()}",))
    switching = ("BREAKER_EXPORTER_SWITCH_INTERVAL",)
    yield Setting(
        "switch_interval", settings.switch_interval, "s", source(None, switching, settings.switch_interval)
    )
    for variable, unit in (
        (_env.SCHEDULE_DELAY, "ms"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "spans"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "spans"),
    ):
        by_profile = "profile" if variable == _env.SCHEDULE_DELAY else "default"
        value = batching[variable]
        name = variable.removeprefix("OTEL_BSP_").lower()
        yield Setting(name, value, unit, source(None, (variable,), value, by_profile))
    sampler = environment.value(_env.SAMPLER) if environment.is_set(_env.SAMPLER) else defaults.sampler
    yield Setting("sampler", sampler, "", source(None, (_env.SAMPLER,), None, "profile"))
    yield Setting("service_name", service.name, "", service.source)
    yield Setting("strict", environment.strict, "", source(None, ("BREAKER_EXPORTER_STRICT",), None))
    yield Setting("metrics", environment.metrics(), "", source(None, ("BREAKER_EXPORTER_METRICS",), None))
    yield Setting(
        "gc_freeze", environment.gc_freeze(), "", source(None, ("BREAKER_EXPORTER_GC_FREEZE",), None)
    )


def endpoint_of(protocol: otlp.Protocol, settings: Settings, environment: Environment) -> str:
    """Where spans go by this protocol, credentials and all."""
    return settings.endpoint or variables.endpoint(environment, protocol)
