"""The collector's gRPC port: a real gRPC server behind a pipe that can break anything below it."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import grpc
import grpc.aio

from ._fault_settings import FaultSetting
from ._faults import Fault, Signal
from ._grpc_status import code_of, refuse
from ._http2 import DATA, HEADERS, LEAVING, PREFACE, SENT_AWAY, Frames
from ._inbox import Inbox
from ._messages import MESSAGES
from ._taken import Malformed
from ._tcp import CHUNK, Connection

if TYPE_CHECKING:
    from ._grpc_status import Context


class GRPCReceiver:
    """Serves connections of the gRPC port into ``inbox``."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._fronts: dict[int, Connection] = {}
        self._server = grpc.aio.server(
            options=[("grpc.max_receive_message_length", 64 * 1024 * 1024), ("grpc.so_reuseport", 0)]
        )
        for signal, messages in MESSAGES.items():
            # Bytes in, bytes out, so that malformed requests are answered here and not by grpc.
            export: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(
                partial(self._export, signal)
            )
            service = grpc.method_handlers_generic_handler(messages.service, {"Export": export})
            self._server.add_generic_rpc_handlers([service])
        self._inner_port = self._server.add_insecure_port("127.0.0.1:0")

    async def start(self) -> None:
        """Start the server behind the port."""
        await self._server.start()

    async def stop(self) -> None:
        """Stop it at once."""
        await self._server.stop(None)

    async def serve(self, connection: Connection) -> None:
        """Pipe one connection to the server behind, but for what the fault does to its bytes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._inner_port)
        inner_number = writer.get_extra_info("sockname")[1]
        self._fronts[inner_number] = connection
        pipes = [
            asyncio.create_task(self._inbound(connection, writer)),
            asyncio.create_task(self._outbound(reader, connection)),
        ]
        try:
            done, _ = await asyncio.wait(pipes, return_when=asyncio.FIRST_COMPLETED)
            for pipe in done:
                pipe.result()
        finally:
            del self._fronts[inner_number]
            writer.transport.abort()
            for pipe in pipes:
                pipe.cancel()
            await asyncio.gather(*pipes, return_exceptions=True)

    async def _inbound(self, connection: Connection, writer: asyncio.StreamWriter) -> None:
        frames = Frames(len(PREFACE))
        while chunk := await connection.reader.read(CHUNK):
            fault = connection.meet().fault
            begun = frames.feed(chunk)
            self._inbox.note_requests(sum(frame.type == HEADERS for frame in begun))
            if fault is Fault.BLACKHOLE:
                continue
            if fault is Fault.GARBAGE:
                await connection.send_garbage()
                return
            if fault is Fault.GOAWAY:
                await connection.send(SENT_AWAY)
                return
            if fault is Fault.RESET and any(frame.type == DATA for frame in begun):
                connection.reset()
                return
            writer.write(chunk)
            await writer.drain()

    async def _outbound(self, reader: asyncio.StreamReader, connection: Connection) -> None:
        frames = Frames()
        while chunk := await reader.read(CHUNK):
            setting = connection.meet()
            answers = [frame for frame in frames.feed(chunk) if frame.type == DATA]
            if setting.fault is Fault.DRIP:
                await connection.drip(chunk, setting.interval or 0.0)
            elif setting.fault is Fault.TRUNCATED and answers:
                # An answer without items to report is 5 bytes of DATA: 2 of them are a part of any.
                await connection.send(chunk[: answers[0].payload_at + 2])
                return
            else:
                await connection.send(chunk)

    async def _export(self, signal: Signal, body: bytes, context: Context) -> bytes:
        connection = self._fronts.get(int(context.peer().rpartition(":")[2]))
        # A request may outlive, by a moment, the connection it came on.
        setting = (
            FaultSetting(Fault.UNAVAILABLE) if connection is None else await self._met(connection, signal)
        )
        code = code_of(setting)
        if code is not grpc.StatusCode.OK:
            await refuse(context, code, setting)
        if setting.limit is not None and len(body) > setting.limit:
            # As gRPC's own server says it.
            words = f"SERVER: Received message larger than max ({len(body)} vs. {setting.limit})"
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, words)
        try:
            message = self._inbox.take(signal, body, setting)
        except Malformed as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        if setting.fault is Fault.TAKEN_THEN_RESET and connection is not None:
            connection.reset()
        if setting.fault is Fault.TAKEN_THEN_CLOSED and connection is not None:
            await connection.send(LEAVING)
            connection.close()
        if setting.fault is Fault.SLOW:
            await asyncio.sleep(setting.seconds or 0.0)
        return message

    @staticmethod
    async def _met(connection: Connection, signal: Signal) -> FaultSetting:
        """Return the fault of a call; what is below HTTP/2 is done here where the signal has it alone."""
        setting = connection.meet_request(signal)
        match setting.fault:
            case Fault.BLACKHOLE:
                await asyncio.get_running_loop().create_future()  # the end of the call cancels it
            case Fault.DRIP | Fault.TRUNCATED:
                connection.befall(setting)
            case Fault.RESET:
                connection.reset()
            case Fault.GARBAGE:
                await connection.send_garbage()
                connection.close()
            case Fault.GOAWAY:
                await connection.send(SENT_AWAY)
                connection.close()
        return setting
