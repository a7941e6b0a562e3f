"""The collector, asked for each signal by each protocol that the signal goes by; each address once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from ..._wiring.provider_variables import importable
from ...otlp._packages import package_of
from .. import versions
from ..report import Steps
from ..settings.effective import EffectiveSettings
from ..settings.routes import Route
from . import grpc, http

K = TypeVar("K")

_PATIENCE = 2.0, 15.0
"""Seconds beyond the exporter's timeout to wait for an answer, and at most."""


def examine(effective: EffectiveSettings, step: float) -> Steps[None]:
    """Ask the collector, with `step` seconds for each step."""
    with importable(effective.environment):
        for protocol, routes in _grouped(effective.routes, lambda route: route.protocol):
            more = [] if protocol == "grpc" else ["requests", "urllib3"]
            can_ask = yield from versions.check([package_of(protocol), *more])
            way = grpc if protocol == "grpc" else http
            for origin, same in _grouped(routes, way.origin_of):
                # Longer than the exporter waits: one that is too slow is no silent one.
                longest = max(route.settings.timeout for route in same)
                patience = max(step, min(longest + _PATIENCE[0], _PATIENCE[1]))
                yield from way.examine(origin, same, step, patience, can_ask=can_ask)


def _grouped(routes: Iterable[Route], key: Callable[[Route], K]) -> Iterator[tuple[K, list[Route]]]:
    groups: dict[K, list[Route]] = {}
    for route in routes:
        groups.setdefault(key(route), []).append(route)
    yield from groups.items()
