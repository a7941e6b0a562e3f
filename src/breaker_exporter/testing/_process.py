"""The collector's process: starts it, asks it by its control URL, and ends it with this process."""

from __future__ import annotations

import json
import os
import selectors
import socket
import subprocess
import sys
from typing import Any
from urllib.parse import urlsplit

_START = 30.0
"""Seconds that a start may take; on an idle machine it takes 0.3."""
_STOP = 5.0
"""Seconds that the process has to end before it is killed."""
_ANSWER = 10.0
"""Seconds that an answer may take, on top of the wait that was asked for."""


class CollectorProcess:
    """A running ``python -m breaker_exporter.testing``.

    A process of its own, so that it uses neither hub nor interpreter lock of the process under test. It
    ends when this process does, in any way: its standard input closes, or its parent changes.

    Raises:
        RuntimeError: It did not start; the message says why.
    """

    def __init__(self, http_port: int, grpc_port: int, control_port: int) -> None:
        self._owner = os.getpid()
        self._process = subprocess.Popen(
            [
                sys.executable,
                *("-m", __package__, "--child-of", str(self._owner)),
                *("--http-port", str(http_port), "--grpc-port", str(grpc_port)),
                *("--control-port", str(control_port)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_environment(),
            # Ctrl-C in a terminal is for the process under test; the collector must outlive it.
            start_new_session=True,
        )
        try:
            self.state = self._greeting()
        except BaseException:
            self.stop()
            raise
        control = urlsplit(str(self.state["control_url"]))
        self._address = (str(control.hostname), int(control.port or 0))

    @property
    def is_ours(self) -> bool:
        """True in the process that started it, false in forks of that one."""
        return os.getpid() == self._owner

    def ask(self, method: str, target: str, fields: object = None, wait: float = 0.0) -> Any:
        """Return the JSON that the control URL answers.

        By hand: ``http.client`` loads ``ssl``, which must not come before gevent's monkey patch.

        Raises:
            ValueError: It refused a value.
            RuntimeError: It cannot be reached any more.
        """
        body = b"" if fields is None else json.dumps(fields).encode()
        request = f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
        try:
            with socket.create_connection(self._address, timeout=wait + _ANSWER) as connection:
                connection.sendall(request.encode() + body)
                answer = b"".join(iter(lambda: connection.recv(1 << 20), b""))
        except OSError as error:
            raise RuntimeError(f"the collector's process cannot be reached: {error}") from error
        head, _, body = answer.partition(b"\r\n\r\n")
        text = body.decode()
        if head.split(b" ", 2)[1:2] == [b"200"]:
            return json.loads(text)
        raise ValueError(text.strip())

    def stop(self) -> None:
        """End the process and wait for it; in a fork of its owner, only let go of it."""
        if self.is_ours:
            # A closed input is not enough: a fork of this process may hold it open. And the signal comes
            # first: at its end, where it has no handler any more, the process would die of the signal.
            self._process.terminate()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        if self.is_ours:
            self._wait()
        else:
            self._process.poll()  # Popen learns that it has no child here, and does not warn at exit

    def _wait(self) -> None:
        try:
            self._process.wait(_STOP)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _greeting(self) -> dict[str, object]:
        output = self._process.stdout
        assert output is not None
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            if not selector.select(_START):
                raise RuntimeError(f"the collector's process did not start within {_START:g} s")
        line = output.readline()
        if not line:
            self._wait()
            raise RuntimeError("the collector's process ended at once; its standard error says why")
        greeting: dict[str, object] = json.loads(line)
        if "error" in greeting:
            self._wait()
            raise RuntimeError(f"the collector cannot start: {greeting['error']}")
        return greeting


def _environment() -> dict[str, str]:
    """Return this environment; what is importable here is importable there, in the same order."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(os.path.abspath(entry) for entry in sys.path),
        "PYTHONSAFEPATH": "1",
        "GRPC_VERBOSITY": "NONE",
    }
