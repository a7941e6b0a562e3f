"""The warnings that end a test in a process of its own: all but one, as in this process."""

from __future__ import annotations

# A fork beside threads is what servers do to us; Python 3.15 raises the warning about it in the parent.
STRICT = ("-W", "error", "-W", "ignore:This process (pid=:DeprecationWarning")
