"""The memory that all workers may keep in an outage, against what their cgroup may use."""

from __future__ import annotations

from pathlib import Path

from .._base.cgroup import memory_limit
from .._core.retention import SHARE_OF_CGROUP, Retention
from .._core.retention_settings import RETAIN_MEMORY
from .check import OK, WARNING, Check
from .report import Steps, ok, warning

CHECKS = (
    Check("retention", (OK,), "the memory that each process and all workers keep in an outage"),
    Check(
        "retention-memory",
        (WARNING,),
        "all workers together may keep more than 1/8 of what the cgroup may use",
        "lower `BREAKER_EXPORTER_RETAIN_MEMORY`, or use fewer workers",
    ),
)
_MUCH = 8
"""One part in so many of the cgroup's memory is much for all workers together."""


def examine(workers: int, retention: Retention, root: Path = Path("/")) -> Steps[None]:
    """Find workers that together would keep much of the memory that there is.

    Args:
        workers: Their number; 0 where it is not known.
        retention: That of each of them.
        root: The folder with ``proc`` and ``sys``.
    """
    if not retention.is_on:
        text = f"nothing is kept in an outage: {RETAIN_MEMORY.variable} is 0, or Retention has memory=0"
        yield ok("retention", text, brief="nothing is kept in an outage")
        return
    limit = memory_limit(root)
    each = retention.memory if limit is None else min(retention.memory, limit // SHARE_OF_CGROUP)
    each = max(each, retention.least)
    together = each * max(workers, 1)
    text = brief = f"each process keeps up to {_mib(each)} in an outage"
    if each < retention.memory:
        text += f" (of {_mib(retention.memory)}: 1/{SHARE_OF_CGROUP} of what the cgroup may use)"
    if workers > 1:
        text += f", {workers} workers {_mib(together)}"
    if limit is None:
        yield ok("retention", f"{text}; no cgroup limits the memory here", brief=brief)
        return
    text += f"; the cgroup may use {_mib(limit)}"
    if together * _MUCH > limit:
        advice = (
            f"lower {RETAIN_MEMORY.variable} to {limit // _MUCH // workers}, use fewer workers, "
            "or give the container more memory"
        )
        yield warning("retention-memory", text, advice)
    else:
        yield ok("retention", text, brief=brief)


def _mib(count: int) -> str:
    number = count / (1 << 20)
    return f"{number:,.0f} MiB" if number >= 10 else f"{number:.2g} MiB"
