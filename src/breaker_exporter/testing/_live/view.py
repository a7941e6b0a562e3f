"""The live table: draws twice a second, takes keys, and gives the terminal back whenever it has to."""

from __future__ import annotations

import asyncio
import contextlib
import io
import signal
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO, cast

from rich.console import Console, ConsoleDimensions
from rich.live import Live

from .._arrivals import Arrivals
from .._fault_settings import FaultSetting, connections_mode, signal_alone
from .._faults import Signal
from .frame import Glance, frame
from .keys import CLEAR, FAULTS, QUIT, SIGNAL
from .terminal import Terminal

if TYPE_CHECKING:
    from .._server import CollectorServer

_EVERY = 0.5
"""Seconds between two pictures."""
_SIGNALS = (None, *Signal)


class LiveView:
    """Shows what arrives, and switches the fault by keys, while `run` runs.

    Args:
        server: The collector, in this process.
        arrivals: What has arrived at it.
        terminal: The terminal.
        end: Called for the key that ends the command.
    """

    def __init__(
        self, server: CollectorServer, arrivals: Arrivals, terminal: Terminal, end: Callable[[], None]
    ) -> None:
        self._server = server
        self._arrivals = arrivals
        self._terminal = terminal
        self._end = end
        self._changed = asyncio.Event()
        self._switching: set[asyncio.Task[None]] = set()
        self._signal: Signal | None = None
        self._notice = ""
        self._faults: object = None
        self._faults_since = 0.0
        self._output = io.TextIOWrapper(
            cast("BinaryIO", terminal), encoding=sys.stdout.encoding, errors="replace"
        )
        self._console = Console(file=self._output, force_terminal=True)
        self._live: Live | None = None
        self._entered = contextlib.ExitStack()

    async def run(self) -> None:
        """Show it until this is cancelled.

        Raises:
            OSError: The terminal is gone.
        """
        loop = asyncio.get_running_loop()
        if signal.getsignal(signal.SIGTSTP) is not signal.SIG_IGN:
            loop.add_signal_handler(signal.SIGTSTP, self._suspend)
        try:
            while True:
                self._show()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), _EVERY)
                self._changed.clear()
        finally:
            self._leave()
            self._output.close()

    def _show(self) -> None:
        if not self._terminal.is_ours:
            self._leave()
            return
        if self._live is None:
            self._live = self._enter()
        if self._terminal.is_behind:
            self._terminal.push()
            return
        self._console.size = size = ConsoleDimensions(*self._terminal.size)
        self._live.update(frame(self._glance(), *size), refresh=True)

    def _enter(self) -> Live:
        loop = asyncio.get_running_loop()
        with contextlib.ExitStack() as stack:
            if sys.stderr.isatty():  # what is written into the picture is gone with the next one
                errors = io.StringIO()
                stack.callback(lambda: sys.stderr.write(errors.getvalue()))
                stack.enter_context(contextlib.redirect_stderr(errors))
            self._terminal.enter()
            stack.callback(self._terminal.leave)
            live = Live(
                console=self._console,
                screen=True,
                auto_refresh=False,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            stack.callback(live.stop)
            live.start()
            loop.add_reader(self._terminal, self._read)
            stack.callback(loop.remove_reader, self._terminal)
            self._entered = stack.pop_all()
        return live

    def _leave(self) -> None:
        self._live = None
        with contextlib.suppress(OSError):  # the terminal is gone
            self._entered.close()

    def _suspend(self) -> None:
        """Stop as Ctrl-Z is meant to, with the terminal as it was; go on where ``fg`` or ``bg`` wants it."""
        self._leave()
        loop = asyncio.get_running_loop()
        loop.remove_signal_handler(signal.SIGTSTP)
        signal.raise_signal(signal.SIGTSTP)  # returns once the process goes on
        loop.add_signal_handler(signal.SIGTSTP, self._suspend)
        self._changed.set()

    def _glance(self) -> Glance:
        now = time.monotonic()
        faults = self._server.fault, self._server.alone
        if faults != self._faults:
            self._faults, self._faults_since = faults, now
        return Glance(
            state=self._server.state(),
            rows=self._arrivals.rows(),
            seconds=self._arrivals.seconds,
            fault=faults[0],
            alone=faults[1],
            fault_seconds=now - self._faults_since,
            signal=self._signal,
            refusal=self._arrivals.refusal,
            notice=self._notice,
        )

    def _read(self) -> None:
        keys = self._terminal.keys()
        if keys is None:
            self._end()
            return
        for key in keys:
            self._notice = ""
            self._press(key)
        self._changed.set()

    def _press(self, key: str) -> None:
        if key in QUIT:
            self._end()
        elif key == SIGNAL:
            self._signal = _SIGNALS[(_SIGNALS.index(self._signal) + 1) % len(_SIGNALS)]
        elif key == CLEAR:
            self._server.clear()
        elif key in FAULTS:
            task = asyncio.create_task(self._switch(FAULTS[key], self._signal))
            self._switching.add(task)
            task.add_done_callback(self._switching.discard)

    async def _switch(self, setting: FaultSetting, of: Signal | None) -> None:
        try:
            signal_alone(of and of.value, setting.fault)
            await self._server.set_fault(setting, connections_mode(None, setting.fault, of), of)
        except (ValueError, OSError) as error:
            self._notice = str(error)
        self._changed.set()
