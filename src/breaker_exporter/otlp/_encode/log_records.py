"""A batch of log records as requests (ExportLogsServiceRequest)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from .groups import ResourceOf
from .items import encode_items
from .log_record import log_record_bytes

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import ReadableLogRecord

    from .batch import Encoded


def encode_log_records(
    batch: Sequence[ReadableLogRecord],
    limit: int,
    rest: Callable[[], None],
    resource_of: ResourceOf | None = None,
) -> Encoded:
    """Encode a batch; one that nobody can encode is left out, alone.

    Args:
        batch: The log records.
        limit: Bytes of a request at most; 0: any number.
        rest: Called between any few log records, and before they are joined: lets others run.
        resource_of: Returns the resource that is written in place of one; ``None``: that itself.
    """
    return encode_items(batch, log_record_bytes, "a log record", limit, rest, resource_of)
