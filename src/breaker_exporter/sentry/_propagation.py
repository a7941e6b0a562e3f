"""Sentry's trace headers beside those that a process propagates already, not instead of them."""

from __future__ import annotations

import contextlib

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import (
    CarrierT,
    Getter,
    Setter,
    TextMapPropagator,
    default_getter,
    default_setter,
)

_BAGGAGE = "baggage"
_SENTRYS = "sentry-"
"""What Sentry's members of a baggage header begin with."""


class BesidePropagator(TextMapPropagator):
    """Two propagators; what `first` reads wins, and both write.

    ``CompositePropagator`` does not do: each propagator in it overwrites the ``baggage`` of the one before.

    Args:
        first: What is propagated already, such as W3C trace context and baggage.
        sentry: Sentry's.
    """

    def __init__(self, first: TextMapPropagator, sentry: TextMapPropagator) -> None:
        self._first = first
        self._sentry = sentry

    def extract(
        self, carrier: CarrierT, context: Context | None = None, getter: Getter[CarrierT] = default_getter
    ) -> Context:
        before = Context() if context is None else context  # as W3C has it; Sentry would take the caller's
        try:
            after = self._sentry.extract(carrier, before, getter)
        except Exception:  # "sentry-trace: 1" makes it raise, and anybody may send that
            return self._first.extract(carrier, before, getter)
        both = self._first.extract(carrier, after, getter)
        if after is before or _trace_id(both) == _trace_id(after):
            return both
        return self._first.extract(carrier, before, getter)  # of another trace nothing is to be passed on

    def inject(
        self, carrier: CarrierT, context: Context | None = None, setter: Setter[CarrierT] = default_setter
    ) -> None:
        sentrys: dict[str, str] = {}
        fields: dict[str, str] = {}
        with contextlib.suppress(Exception):
            self._sentry.inject(sentrys, context)
        self._first.inject(fields, context)
        baggage = _merged(fields.get(_BAGGAGE), sentrys.get(_BAGGAGE))
        for name, value in {**sentrys, **fields, **baggage}.items():
            setter.set(carrier, name, value)

    @property
    def fields(self) -> set[str]:
        return self._first.fields | self._sentry.fields


def propagate_beside(sentry: TextMapPropagator) -> None:
    """From now on this process propagates Sentry's headers too. Where it does already, nothing changes."""
    first = propagate.get_global_textmap()
    if not isinstance(first, BesidePropagator | type(sentry)):
        propagate.set_global_textmap(BesidePropagator(first, sentry))


def _trace_id(context: Context) -> int:
    return trace.get_current_span(context).get_span_context().trace_id


def _merged(others: str | None, sentrys: str | None) -> dict[str, str]:
    """The one baggage header; Sentry's members, which W3C passes on as they came in, are Sentry's alone."""
    if not others or not sentrys:
        return {}
    kept = [member for member in others.split(",") if not member.strip().startswith(_SENTRYS)]
    return {_BAGGAGE: ",".join([*kept, sentrys])}
