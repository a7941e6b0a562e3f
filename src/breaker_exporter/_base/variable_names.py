"""Names in an environment that are misspelt ones of this package's variables."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

from .setting import Setting

PREFIX = "BREAKER_EXPORTER_"
_INTERNAL = f"{PREFIX}DEMO_FD"
"""Set by what measures services (``_harness``), for its own processes."""
_ALIKE = 0.85


def ours(settings: Iterable[Setting[object]]) -> tuple[str, ...]:
    """The variables of this package among those of `settings`, in order."""
    names = {name for setting in settings for name in setting.variables}
    return tuple(sorted(name for name in names if name.startswith(PREFIX)))


def misspelt(names: Iterable[str], known: Iterable[str]) -> Iterator[tuple[str, str | None]]:
    """Names that are meant for this package and that it does not read, each with the nearest right one.

    ``BREAKER_EXPORTER_COOL_DOWN``, ``BRAKER_EXPORTER_COOLDOWN``, ``breaker_exporter_cooldown``; ``None``
    where a name begins as ours do and ends as none of them does.

    Args:
        names: Those in an environment.
        known: The variables of this package.
    """
    right = set(known)
    ends = sorted(name.removeprefix(PREFIX) for name in right)
    for name in names:
        end = None if name in right or name == _INTERNAL else _end(name.upper())
        if end is None:
            continue
        near = difflib.get_close_matches(end, ends, 1)
        if near or name.startswith(PREFIX):
            yield name, f"{PREFIX}{near[0]}" if near else None


def _end(name: str) -> str | None:
    """Return the part after the prefix, which may be misspelt too; ``None`` where there is no prefix."""
    if name.startswith(PREFIX):
        return name.removeprefix(PREFIX)
    words = name.split("_")
    for count in (2, 1):
        begin, end = "".join(words[:count]), "_".join(words[count:])
        if end and difflib.SequenceMatcher(None, begin, PREFIX.replace("_", "")).ratio() >= _ALIKE:
            return end
    return None
