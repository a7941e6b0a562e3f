"""The table of settings in force: each with its value, unit and source."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from .._base import setting as declared
from .._base.environment import STRICT, Environment
from .._base.redaction import shown
from .._core import circuit_settings as circuit
from .._wiring import batch_settings as batch
from .._wiring.profiles import Defaults
from .._wiring.provider_variables import SAMPLER
from .._wiring.settings import Settings
from .._wiring.switches import GC_FREEZE, METRICS, PROFILE, SHUTDOWN_TIMEOUT
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
    service: Service,
) -> Iterator[Setting]:
    """All settings but Sentry's."""
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

    def row(setting: declared.Setting[object]) -> Setting:
        name = setting.argument
        value = getattr(settings, name)
        return Setting(
            name, value, setting.unit, source(getattr(arguments, name, None), setting.variables, value)
        )

    profile = arguments.profile or environment.in_force(PROFILE)
    yield Setting("profile", profile.value, "", source(arguments.profile, PROFILE.variables, None))
    protocol = settings.protocol
    yield Setting("protocol", protocol, "", source(arguments.protocol, otlp.PROTOCOL.variables, None))
    endpoint = shown(endpoint_of(protocol, settings, environment)).strip("'\"")
    yield Setting("endpoint", endpoint, "", source(arguments.endpoint, otlp.ENDPOINT.variables, None))
    headers = variables.headers(environment, protocol) if settings.headers is None else settings.headers
    names = ", ".join(sorted(headers))
    yield Setting("headers", names or None, "", source(arguments.headers, otlp.HEADERS.variables, None))
    compression = variables.compression(environment, protocol)
    yield Setting("compression", compression, "", source(None, otlp.COMPRESSION.variables, None))
    yield row(otlp.TIMEOUT)
    yield row(circuit.EXPORT_TIMEOUT)
    yield row(circuit.FAILURE_THRESHOLD)
    yield row(circuit.COOLDOWN)
    yield row(circuit.MAX_COOLDOWN)
    yield row(SHUTDOWN_TIMEOUT)
    yield row(circuit.SWITCH_INTERVAL)
    for setting, value in (
        (batch.SCHEDULE_DELAY, settings.batching.schedule_delay_millis),
        (batch.QUEUE_SIZE, settings.batching.max_queue_size),
        (batch.BATCH_SIZE, settings.batching.max_export_batch_size),
    ):
        by_profile = "profile" if setting is batch.SCHEDULE_DELAY else "default"
        name = setting.variable.removeprefix("OTEL_BSP_").lower()
        yield Setting(name, value, setting.unit, source(None, setting.variables, value, by_profile))
    named = environment.value(SAMPLER.variable) if environment.is_set(SAMPLER.variable) else None
    sampler = named or defaults.sampler
    yield Setting("sampler", sampler, "", source(None, SAMPLER.variables, None, "profile"))
    yield Setting("service_name", service.name, "", service.source)
    yield Setting("strict", environment.strict, "", source(None, STRICT.variables, None))
    for name, switch in (("metrics", METRICS), ("gc_freeze", GC_FREEZE)):
        yield Setting(name, environment.in_force(switch), "", source(None, switch.variables, None))


def endpoint_of(protocol: otlp.Protocol, settings: Settings, environment: Environment) -> str:
    """Where spans go by this protocol, credentials and all."""
    return settings.endpoint or variables.endpoint(environment, protocol)
