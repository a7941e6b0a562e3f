"""The settings in force: where they come from, and every finding about them."""

from __future__ import annotations

from dataclasses import dataclass

from ..._wiring.exporter_names import listed
from ..._wiring.provider_variables import check_provider
from ..._wiring.settings import Settings
from ..._wiring.switches import SDK_DISABLED
from ...otlp import _credentials
from ...otlp import _environment as otlp
from ...otlp._settings import Protocol
from ..report import Setting, Steps, warning
from . import exporters, names, service_name, shell_syntax, sources, values
from .given import Given
from .recording import RecordingEnvironment


@dataclass(frozen=True, slots=True)
class EffectiveSettings:
    """The settings in force.

    Attributes:
        settings: Their values.
        given: What was given in code.
        environment: The variables.
        service: ``namespace/name`` of the service, or its name, as far as the environment tells.
        protocols: Those of the OTLP exporters; empty where spans go nowhere by OTLP.
        rows: The table for the report, without Sentry's.
    """

    settings: Settings
    given: Given
    environment: RecordingEnvironment
    service: str
    protocols: tuple[Protocol, ...]
    rows: tuple[Setting, ...]

    def endpoint(self, protocol: Protocol) -> str:
        """Return where spans go by this protocol, credentials and all."""
        return self.settings.endpoint or otlp.endpoint(self.environment, protocol)

    def headers(self, protocol: Protocol) -> dict[str, str]:
        """Return the headers that are configured."""
        given = self.settings.headers
        return otlp.headers(self.environment, protocol) if given is None else given


def examine(given: Given, environment: RecordingEnvironment) -> Steps[EffectiveSettings]:
    """Find what is wrong with the settings, and return them."""
    with environment.recording_log():
        defaults = given.arguments.defaults(environment)
        check_provider(environment, defaults.sampler)
        settings = given.arguments.settings(environment, defaults)
        is_off = environment.in_force(SDK_DISABLED)
        protocols = () if is_off else (yield from exporters.examine(environment, settings))
        for protocol in protocols:
            otlp.check(environment, protocol)
            _credentials.check(environment, protocol)
    service = service_name.of(given, environment)
    rows = [*sources.rows(settings, given, environment, defaults)]
    rows.append(Setting("service_name", service[0], "", service[1]))
    variables = environment.everything()
    yield from shell_syntax.check(variables, environment.complaints, environment.strict)
    yield from values.check_complaints(environment, reported=shell_syntax.quoted(variables))
    if is_off:
        yield warning(
            "sdk-disabled",
            "OTEL_SDK_DISABLED is true: no spans are made or sent, and the collector is not asked here",
            "remove the variable where that is not meant",
        )
    elif "none" not in listed(environment):
        yield from service_name.check(service, sees_code=given.seen)
        yield from service_name.check_attributes(environment)
    yield from values.check_times(settings, environment)
    yield from values.check_sampler(environment)
    for protocol in protocols:
        yield from values.check_credentials(protocol, environment)
    yield from values.check_endpoint(given, environment, protocols)
    yield from names.check(variables, strict=environment.strict)
    named = service_name.with_namespace(service[0], environment)
    return EffectiveSettings(settings, given, environment, named, protocols, tuple(rows))
