"""Sentry's trace headers, beside those that a process propagates already."""

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
"""The prefix of Sentry's members of a baggage header."""


class BesidePropagator(TextMapPropagator):
    """Two propagators: both write, and where both find a trace, that of `first` wins.

    ``CompositePropagator`` cannot be used: in it each propagator overwrites the ``baggage`` of the others.

    Args:
        first: The propagator that was set before, such as W3C trace context and baggage.
        sentry: Sentry's propagator.
    """

    def __init__(self, first: TextMapPropagator, sentry: TextMapPropagator) -> None:
        self._first = first
        self._sentry = sentry

    def extract(
        self, carrier: CarrierT, context: Context | None = None, getter: Getter[CarrierT] = default_getter
    ) -> Context:
        before = Context() if context is None else context  # W3C's rule; Sentry would take the caller's
        try:
            after = self._sentry.extract(carrier, before, getter)
        except Exception:  # "sentry-trace: 1", which anybody may send, makes it raise
            return self._first.extract(carrier, before, getter)
        both = self._first.extract(carrier, after, getter)
        if after is before or _trace_id(both) == _trace_id(after):
            return both
        return self._first.extract(carrier, before, getter)  # nothing of another trace is passed on

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
    """Make this process propagate Sentry's headers too, unless it does so already."""
    first = propagate.get_global_textmap()
    if not isinstance(first, BesidePropagator | type(sentry)):
        propagate.set_global_textmap(BesidePropagator(first, sentry))


def _trace_id(context: Context) -> int:
    return trace.get_current_span(context).get_span_context().trace_id


def _merged(others: str | None, sentrys: str | None) -> dict[str, str]:
    """The one baggage header: Sentry writes its members itself, so those that W3C passes on are left out."""
    if not others or not sentrys:
        return {}
    kept = [member for member in others.split(",") if not member.strip().startswith(_SENTRYS)]
    return {_BAGGAGE: ",".join([*kept, sentrys])}
