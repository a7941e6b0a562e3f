"""The arguments of a ``Telemetry``, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._base import checks as check
from .._wiring.settings import Arguments
from .._wiring.switches import RESOURCE_ATTRIBUTES, SERVICE_NAME
from ..sentry._settings import Sentry, check_sentry

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.util.types import AttributeValue


@dataclass(frozen=True, slots=True)
class Setup:
    """The arguments of a ``Telemetry``; ``None`` was left out.

    Attributes:
        arguments: Those that say how to export.
        resource: Attributes of the resource, ``service.name`` among them.
        sentry: Sentry's settings.
        provider: The application's provider, which has its resource already.

    Raises:
        TypeError: A value is of the wrong type, or goes into the resource of the given provider.
        ValueError: One is out of range.
    """

    arguments: Arguments
    resource: dict[str, AttributeValue]
    sentry: Sentry | None
    provider: TracerProvider | None

    def __post_init__(self) -> None:
        if self.sentry is not None:
            check_sentry(self.sentry)
        if self.provider is not None:
            _check_provider(self.provider, self.resource)

    @property
    def service_name(self) -> object:
        """The ``service.name`` that was given, if one was."""
        return (self.provider.resource.attributes if self.provider else self.resource).get("service.name")


def resource_attributes_of(
    service_name: str | None, given: Mapping[str, AttributeValue] | None
) -> dict[str, AttributeValue]:
    """The attributes of the resource, by the arguments ``service_name`` and ``resource_attributes``.

    Raises:
        TypeError: One is of the wrong type.
        ValueError: A name is empty.
    """
    attributes = dict(RESOURCE_ATTRIBUTES.accept(given) or {})
    for key in attributes:
        check.text("each key of resource_attributes", key)
    if (named := SERVICE_NAME.accept(service_name)) is not None:
        attributes["service.name"] = named
    return attributes


def _check_provider(provider: TracerProvider, attributes: Mapping[str, AttributeValue]) -> None:
    from .._wiring.provider import check_provider

    check_provider(provider)
    if attributes:
        raise TypeError(
            "service_name and resource_attributes cannot be given with provider, which has its resource"
        )
