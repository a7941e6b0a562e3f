"""A setting, declared once: its names, what it accepts, its default, and one line about it.

Each domain declares its own. The reader of the environment, the errors, the doctor and the reference page
(``docs/reference/settings.md``) take what they say from here.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from . import checks as check

E = TypeVar("E", bound=enum.StrEnum)
T_co = TypeVar("T_co", covariant=True)

_ON, _OFF = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


# Neither class has slots: Python 3.11 cannot make Setting[int](...) of a frozen class with slots.


@dataclass(frozen=True)
class Kind(Generic[T_co]):
    """The kind of values that a setting accepts.

    Attributes:
        allowed: The words of the error that follow "must be".
        check: Takes a name and a value, and returns the value, or raises a ``TypeError`` or ``ValueError``
            with the name, the value and what is allowed.
        convert: Converts the text of a variable for `check`, which gets the text itself where this raises a
            ``ValueError``.
    """

    allowed: str
    check: Callable[[str, object], T_co]
    convert: Callable[[str], object] = str


@dataclass(frozen=True, kw_only=True)
class Setting(Generic[T_co]):
    """One setting.

    Attributes:
        kind: The kind of values that it accepts.
        default: The value where it is given neither in code nor in the environment.
        about: One line for the reference page, in Markdown.
        variables: Its names in the environment; the first one that has a value counts.
        argument: Its name in code, if it has one.
        unit: Of a number: ``s``, ``ms``, ``bytes``, ``spans``.
        fallback: The default in words; needed only where `default` does not say it.
    """

    kind: Kind[T_co]
    default: T_co
    about: str
    variables: tuple[str, ...] = ()
    argument: str = ""
    unit: str = ""
    fallback: str = ""

    def accept(self, value: object) -> T_co:
        """The value given in code, or the default where it is ``None``.

        Raises:
            TypeError: It is of the wrong type.
            ValueError: It is out of range.
        """
        return self.default if value is None else self.kind.check(self.argument, value)

    @property
    def variable(self) -> str:
        """The variable for all signals, which has the shortest name."""
        return min(self.variables, key=len)

    @property
    def default_text(self) -> str:
        """The default in words."""
        return self.fallback or _text(self.default)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return f"{value:d}"
    if isinstance(value, float):
        return f"{value:g}"
    return "none" if value is None else str(value)


COUNT = Kind("a whole number, 1 or more", check.count, int)
COUNT_OR_ZERO = Kind("a whole number, 0 or more", partial(check.count, zero=True), int)
POSITIVE = Kind("a finite number above 0", check.positive, float)
RATIO = Kind("a number from 0 to 1", check.ratio, float)
SHARE = Kind("a number from 0 to below 1", check.share, float)
TEXT = Kind("a string", check.text)
PATH = Kind("an absolute path", check.path)


def seconds(longest: float) -> Kind[float]:
    """A time in seconds; one above `longest` looks like milliseconds."""
    return Kind(
        "a finite number of seconds, above 0",
        lambda name, value: check.seconds(name, value, longest),
        float,
    )


def words(*allowed: str) -> Kind[str]:
    """One of these words, in lower case or not."""
    return Kind(f"one of {', '.join(allowed)}", check.one_of(*allowed), str.lower)


def members(kind: type[E]) -> Kind[E]:
    """The value of one of the members of an enumeration of strings, in lower case or not."""
    named = words(*(member.value for member in kind))
    return Kind(named.allowed, lambda name, value: kind(named.check(name, value)), named.convert)


def switch(on: tuple[str, ...] = _ON, off: tuple[str, ...] = _OFF) -> Kind[bool]:
    """True for one of the words in `on`, False for one in `off`."""
    named = words(*on, *off)
    return Kind(named.allowed, lambda name, value: named.check(name, value) in on, named.convert)
