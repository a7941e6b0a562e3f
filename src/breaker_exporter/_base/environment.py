"""The reader of environment variables. It knows no domain: each declares its settings (``setting.py``).

An unset or empty variable, and a bad one, count as not given. A bad value is one WARNING that names variable,
value and what is allowed, and the service starts; under ``BREAKER_EXPORTER_STRICT=1`` it is a
:class:`TelemetryError` instead.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import TypeVar

from .log import say
from .setting import Setting, switch
from .variable_names import misspelt

T = TypeVar("T")

STRICT = Setting(
    variables=("BREAKER_EXPORTER_STRICT",),
    kind=switch(),
    default=False,
    about="1: a mistake in the settings is fatal",
)
_changing = threading.RLock()
"""Held while variables are taken away. Reentrant: greenlets of a thread never wait for each other."""
_LONGEST_CHANGE = 5.0
"""Seconds to wait for the lock: in a child that was forked while it was held, nobody releases it."""


def any_set(names: Iterable[str]) -> bool:
    """True where this process has a value, good or bad, for one of these variables."""
    return any(os.environ.get(name, "").strip() for name in names)


def snapshot() -> dict[str, str]:
    """All variables of this process as they stand now."""
    return dict(os.environ)


@contextlib.contextmanager
def adopted(changes: Mapping[str, str | None]) -> Iterator[None]:
    """Inside, these variables of this process have these values; ``None``: they are unset."""
    before = {name: os.environ.get(name) for name in changes}
    _put(changes)
    try:
        yield
    finally:
        _put(before)


def _put(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


class TelemetryError(ValueError):
    """A mistake in the telemetry's settings where ``BREAKER_EXPORTER_STRICT=1``: one line, no secrets."""


class Environment:
    """The variables as they stand now, and a record of those that were found unusable.

    Args:
        variables: The variables to read; the process's own by default.

    Raises:
        TelemetryError: From every method that meets a bad value, where ``strict``.
    """

    def __init__(self, variables: MutableMapping[str, str] | None = None) -> None:
        self._variables = os.environ if variables is None else variables
        self._unusable: set[str] = set()
        self._told: set[str] = set()
        self.strict = False
        self.strict = self.in_force(STRICT)

    def get(self, setting: Setting[T]) -> T | None:
        """The value given for a setting; ``None`` where it is unset, empty or bad."""
        found = self.found(setting)
        return None if found is None else found[1]

    def in_force(self, setting: Setting[T]) -> T:
        """The value given for a setting, else its default."""
        found = self.found(setting)
        return setting.default if found is None else found[1]

    def found(self, setting: Setting[T]) -> tuple[str, T] | None:
        """The variable that gives a usable value for a setting, and that value."""
        for name in setting.variables:
            if text := self.value(name):
                value: object = text
                with contextlib.suppress(ValueError):  # the check says it better, and with the name
                    value = setting.kind.convert(text)
                try:
                    return name, setting.kind.check(name, value)
                except (TypeError, ValueError) as error:
                    self.reject([name], str(error), f"taken as unset (default: {setting.default_text})")
        return None

    def value(self, name: str) -> str | None:
        """The text of a variable, good or bad; ``None`` where it is unset or empty."""
        return self._variables.get(name, "").strip() or None

    def is_set(self, name: str) -> bool:
        """True where a variable has a value, and none that was found unusable."""
        return self.value(name) is not None and name not in self._unusable

    def is_there(self, name: str) -> bool:
        """True where a variable is set, also to an empty text."""
        return name in self._variables

    def reject(self, names: Iterable[str], why: str, consequence: str) -> None:
        """Complain of values that cannot be used, and treat their variables as unset."""
        self._unusable.update(names)
        self.complain(why, consequence)

    def complain(self, text: str, consequence: str = "") -> None:
        """Log one WARNING, the same text only once; or raise where strict.

        Args:
            text: The mistake.
            consequence: Its effect on a service that starts in spite of it.
        """
        if self.strict:
            raise TelemetryError(text)
        self.remark(f"{text}; {consequence}" if consequence else text)

    def remark(self, text: str) -> None:
        """Log one WARNING of what is no mistake, the same text only once."""
        if text not in self._told:
            self._told.add(text)
            say(logging.WARNING, "%s", text)

    def check_names(self, known: Iterable[str]) -> None:
        """Complain of variables that were meant for this package, and that nothing reads.

        Args:
            known: The variables that are read.
        """
        ours = sorted(known)
        for name, near in misspelt(filter(self.value, self._variables), ours):
            hint = f"did you mean {near}?" if near else f"known are {', '.join(ours)}"
            self.complain(f"{name} is no variable that anything reads: {hint}", "it has no effect")

    @contextlib.contextmanager
    def hidden(self, names: Iterable[str]) -> Iterator[None]:
        """Unset these variables meanwhile, for as short as possible: the whole process sees it.

        Objects of other packages raise on some values, whichever arguments they get. Where none of these
        variables is set, nothing is changed.
        """
        if not any(name in self._variables for name in names):
            yield
            return
        has_lock = _changing.acquire(timeout=_LONGEST_CHANGE)
        taken = {name: self._variables.pop(name) for name in names if name in self._variables}
        try:
            yield
        finally:
            self._variables.update(taken)
            if has_lock:
                _changing.release()
