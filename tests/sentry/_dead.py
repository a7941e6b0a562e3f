"""The ways in which a server is dead."""

from __future__ import annotations

from typing import Any

import pytest

from breaker_exporter.testing import Fault

DEAD: list[tuple[Fault, dict[str, Any]]] = [
    (Fault.BLACKHOLE, {}),
    (Fault.REFUSE, {}),
    (Fault.STATUS, {"status": 429, "retry_after": 30}),
]
FAULTS = pytest.mark.parametrize(("fault", "settings"), DEAD, ids=lambda value: getattr(value, "name", ""))
