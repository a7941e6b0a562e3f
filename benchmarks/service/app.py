"""The application of every contender: the usual work, counted by the benchmark's meter."""

from __future__ import annotations

from breaker_exporter._harness.work import Work

from .meter import meter

app = Work(meter).answer
