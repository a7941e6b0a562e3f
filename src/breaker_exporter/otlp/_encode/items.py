"""A batch of spans or of log records as requests. An item that nobody can encode is left out, alone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from ..._base.log import say
from .batch import AT_ONCE, Encoded
from .groups import Groups, ResourceOf, item_head
from .wire import reason_of

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

_said: dict[str, str] = {}
"""The error that kept the first item out in this process, by the word for such items."""


class Item(Protocol):
    """One item of a signal: it names its resource and its scope itself."""

    @property
    def resource(self) -> Resource: ...

    @property
    def instrumentation_scope(self) -> InstrumentationScope | None: ...


_Item = TypeVar("_Item", bound=Item)


def encode_items(
    batch: Sequence[_Item],
    item_bytes: Callable[[_Item], bytes],
    word: str,
    limit: int,
    rest: Callable[[], None],
    resource_of: ResourceOf | None,
) -> Encoded:
    """Encode a batch.

    As the official encoder does it: one group for each resource, in it one for each scope, all in the order
    in which they were first seen.

    Args:
        batch: The items.
        item_bytes: Returns the message of one item; raises where OTLP has no place for it.
        word: What such an item is called in the log, with its article: ``a span``.
        limit: Bytes of a request at most; 0: any number.
        rest: Called between any few items, and before they are joined: lets others run.
        resource_of: See :class:`Groups`.
    """
    groups = Groups(resource_of)
    latest: tuple[object, object] = (groups, None)
    place: list[bytes] = []
    left_out = 0
    for start in range(0, len(batch), AT_ONCE):
        if start:
            rest()
        for item in batch[start : start + AT_ONCE]:
            try:
                data = item_bytes(item)
                resource, scope = item.resource, item.instrumentation_scope
                if resource is not latest[0] or scope is not latest[1]:
                    place = groups.place(resource, scope)
                    latest = resource, scope
                place.append(item_head(len(data)))
                place.append(data)
            except Exception as error:
                left_out += 1
                _say_once(word, error)
    rest()
    return Encoded.of(groups.request(len(batch) - left_out, rest), limit, left_out, rest)


def _say_once(word: str, error: Exception) -> None:
    if word not in _said:
        _said[word] = reason_of(error)
        say(
            logging.WARNING,
            "%s cannot be encoded (%s): it is left out of its batch; later ones are only counted",
            word,
            _said[word],
        )
