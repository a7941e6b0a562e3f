"""The collector, asked by each protocol that spans go by."""

from __future__ import annotations

from ..._wiring.provider_variables import importable
from ...otlp._packages import package_of
from .. import versions
from ..report import Steps
from ..settings.effective import EffectiveSettings
from . import grpc, http

_PATIENCE = 2.0, 15.0
"""Seconds beyond the exporter's timeout to wait for an answer, and at most."""


def examine(effective: EffectiveSettings, step: float) -> Steps[None]:
    """Ask the collector, with `step` seconds for each step."""
    # Longer than the exporter waits: one that is too slow is no silent one.
    patience = max(step, min(effective.settings.timeout + _PATIENCE[0], _PATIENCE[1]))
    with importable(effective.environment):
        for protocol in effective.protocols:
            more = [] if protocol == "grpc" else ["requests", "urllib3"]
            can_ask = yield from versions.check([package_of(protocol), *more])
            examine_way = grpc.examine if protocol == "grpc" else http.examine
            yield from examine_way(effective, step, patience, can_ask=can_ask)
