"""The settings in force, and what is wrong with them."""

from __future__ import annotations

from .._wiring.exporter_names import listed
from .._wiring.provider_variables import check_provider
from .._wiring.switches import SDK_DISABLED
from ..otlp import _credentials
from ..otlp import _environment as variables_of_otlp
from . import exporters, mistakes, names, service, table, values
from .finding import Steps, warning
from .listening import Given, InForce, Listening


def settle(given: Given, environment: Listening) -> Steps[InForce]:
    """Which settings hold, and what is wrong with them."""
    with environment.hearing_log():
        defaults = given.arguments.defaults(environment)
        check_provider(environment, defaults.sampler)
        settings = given.arguments.settings(environment, defaults)
        is_off = environment.in_force(SDK_DISABLED)
        ways = () if is_off else (yield from exporters.examine(environment, settings))
        for protocol in ways:
            variables_of_otlp.check(environment, protocol)
            _credentials.check(environment, protocol)
    named = service.of(given, environment)
    rows = tuple(table.rows(settings, given, environment, defaults, named))
    variables = environment.everything()
    yield from values.check(variables, environment.complaints, environment.strict)
    yield from mistakes.complaints(environment.complaints, environment.strict, values.quoted(variables))
    if is_off:
        yield warning(
            "sdk-disabled",
            f"{SDK_DISABLED.variable} is true: no spans are made or sent, "
            "and the collector is not asked here",
            "take the variable away where that is not meant",
        )
    elif "none" not in listed(environment):
        yield from service.check(named, sees_code=given.seen)
        yield from service.check_attributes(environment)
    yield from mistakes.check_times(settings, environment)
    yield from mistakes.check_sampler(environment)
    for protocol in ways:
        yield from mistakes.check_credentials(protocol, environment)
    yield from mistakes.check_endpoint(given, environment, ways)
    yield from names.check(variables, strict=environment.strict)
    return InForce(settings, given, environment, ways, rows)
