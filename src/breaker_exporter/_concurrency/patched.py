"""The parts of gevent that this process has loaded, and the modules that it has patched.

Asked at each call, never at import: an exporter may be made before the monkey patch and used after it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import types


def gevent_module(name: str) -> types.ModuleType | None:
    """The module ``gevent.<name>``, where something has loaded it."""
    return sys.modules.get(f"gevent.{name}")


def is_patched(module: str = "threading") -> bool:
    """True where gevent has patched `module`; ``threading``: locks and threads are gevent's."""
    monkey = gevent_module("monkey")
    return monkey is not None and bool(monkey.is_module_patched(module))
