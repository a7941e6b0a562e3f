"""The status of gRPC that each fault is answered with, and the refusal of a call."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import grpc
import grpc.aio
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from ._fault_settings import FaultSetting
from ._faults import Fault

if TYPE_CHECKING:
    from typing import NoReturn

    Context = grpc.aio.ServicerContext[bytes, bytes]

_CODE_OF_STATUS = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.UNIMPLEMENTED,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    500: grpc.StatusCode.INTERNAL,
    502: grpc.StatusCode.UNAVAILABLE,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.UNAVAILABLE,
}
"""As the OpenTelemetry Collector translates (``internal/httphelper``), with 413 and 500 added."""

_CODE_OF_FAULT = {
    Fault.UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    # Of these, nobody hears: the connection has ended.
    Fault.RESET: grpc.StatusCode.UNAVAILABLE,
    Fault.GARBAGE: grpc.StatusCode.UNAVAILABLE,
    Fault.GOAWAY: grpc.StatusCode.UNAVAILABLE,
    Fault.DEADLINE: grpc.StatusCode.DEADLINE_EXCEEDED,
    Fault.RESOURCE_EXHAUSTED: grpc.StatusCode.RESOURCE_EXHAUSTED,
}


def code_of(setting: FaultSetting) -> grpc.StatusCode:
    """Return the status that a call is answered with."""
    if setting.code is not None:
        return grpc.StatusCode[setting.code]
    if setting.status is None:
        return _CODE_OF_FAULT.get(setting.fault, grpc.StatusCode.OK)
    if 200 <= setting.status < 300:
        return grpc.StatusCode.OK
    return _CODE_OF_STATUS.get(setting.status, grpc.StatusCode.UNKNOWN)


async def refuse(context: Context, code: grpc.StatusCode, setting: FaultSetting) -> NoReturn:
    """End a call with `code`, and say when to come back where the setting does."""
    details = "the fault of this collector"
    delay = setting.retry_after_seconds(time.time())
    if delay is None:
        await context.abort(code, details)
    retry = RetryInfo()
    retry.retry_delay.FromNanoseconds(round(delay * 1e9))
    packed = AnyMessage()
    packed.Pack(retry)
    status = Status(code=code.value[0], message=details, details=[packed])
    # The OTLP specification wants the first; OpenTelemetry Python's exporter reads the second.
    metadata = (
        ("grpc-status-details-bin", status.SerializeToString()),
        ("google.rpc.retryinfo-bin", retry.SerializeToString()),
    )
    await context.abort(code, details, metadata)
