"""Signatures as ``help``, editors and ``inspect.signature`` show them at run time."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TypeVar, get_overloads

F = TypeVar("F", bound=Callable[..., object])
P = TypeVar("P")


def showing_overload_defaults(function: F) -> F:
    """Show the defaults of the first overload of `function`, which takes ``None`` to know what was given."""
    first = inspect.signature(get_overloads(function)[0]).parameters
    own = inspect.signature(function)
    shown = [each.replace(default=first[each.name].default) for each in own.parameters.values()]
    vars(function)["__signature__"] = own.replace(parameters=shown)
    return function


def showing_no_arguments(protocol: P) -> P:
    """Show no arguments for `protocol`, a class, where Python shows ``(*args, **kwargs)``."""
    setattr(protocol, "__signature__", _NoArguments(protocol))  # noqa: B010
    return protocol


class _NoArguments:
    """The signature of one class. Those that inherit from it have their own."""

    def __init__(self, owner: object) -> None:
        self._owner = owner

    def __get__(self, instance: object, owner: object) -> inspect.Signature:
        if owner is not self._owner:
            raise AttributeError("__signature__")
        return inspect.Signature()
