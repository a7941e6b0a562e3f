"""The listener of docs/how-to/paging.md: nobody waits for the pager."""

from __future__ import annotations

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from opentelemetry.sdk.trace.export import SpanExportResult

from breaker_exporter import CircuitBreakerSpanExporter, CircuitState
from breaker_exporter.testing import ManualClock, ScriptedExporter, fail, succeed

from ..otlp._server import answer, serving
from ..semantics._processes import run_patched, run_plain
from ..semantics._spans import spans
from ..semantics._waiting import until
from ._recipes import PAGING


def page_while_the_pager_is_slow() -> None:
    over: list[bool] = []
    paged: list[bool] = []

    def slowly(handler: BaseHTTPRequestHandler) -> None:
        until(lambda: over, within=10)
        answer(200)(handler)
        paged.append(True)

    with serving(slowly) as pager:
        recipe: dict[str, Any] = {}
        exec(
            PAGING.replace("https://pager.example.com", pager.base).replace("timeout=10", "timeout=60"),
            recipe,
        )
        clock = ManualClock()
        exporter = CircuitBreakerSpanExporter(
            ScriptedExporter([fail, fail], default=succeed),
            name="otlp",
            failure_threshold=1,
            clock=clock,
            listeners=[recipe["page"]],
        )

        assert exporter.export(spans(1)) is SpanExportResult.FAILURE  # opens
        clock.advance(60)
        exporter.export(spans(1))  # a probe that fails: no news
        clock.advance(60)
        assert exporter.export(spans(1)) is SpanExportResult.SUCCESS
        assert exporter.state is CircuitState.CLOSED

        over.append(True)
        until(lambda: paged)
        exporter.shutdown()

    (request,) = pager.requests
    assert json.loads(request.body) == {"summary": "otlp: returned FAILURE"}


@pytest.mark.parametrize("run", [run_plain, run_patched])
def test_an_outage_pages_once_and_no_export_waits_for_the_pager(run: Callable[..., str]) -> None:
    run(page_while_the_pager_is_slow)
