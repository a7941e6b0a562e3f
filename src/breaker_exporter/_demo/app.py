"""The WSGI application that both services run."""

from __future__ import annotations

from .._harness.work import Work
from .meter import meter

meter.start()
app = Work(meter).answer
