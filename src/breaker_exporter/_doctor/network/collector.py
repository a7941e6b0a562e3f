"""The collector, asked by each protocol that spans go by."""

from __future__ import annotations

from ..._wiring.provider_variables import importable
from .. import versions
from ..report import Steps
from ..settings.effective import EffectiveSettings
from . import grpc, http

_PATIENCE = 2.0, 15.0
"""Seconds beyond the exporter's timeout to wait for an answer, and at most."""


def examine(effective: EffectiveSettings, step: float) -> Steps[None]:
    """Ask the collector, with `step` seconds for each step."""
    # Longer than the exporter waits: a collector that is too slow is to be told from one that is silent.
    patience = max(step, min(effective.settings.timeout + _PATIENCE[0], _PATIENCE[1]))
    with importable(effective.environment):
        for protocol in effective.protocols:
            if protocol == "grpc":
                can_ask = yield from versions.check(["opentelemetry-exporter-otlp-proto-grpc"])
                yield from grpc.examine(effective, step, patience, can_ask=can_ask)
            else:
                needed = ["opentelemetry-exporter-otlp-proto-http", "requests", "urllib3"]
                can_ask = yield from versions.check(needed)
                yield from http.examine(effective, step, patience, can_ask=can_ask)
