"""Signals that end a process, such as Ctrl-C, kept until the program asks for them."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):
    """A signal has come.

    Attributes:
        status: The exit status that a shell expects after the signal: 130 for Ctrl-C.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(number).name}")
        self.status = 128 + number


class Interruption:
    """While entered, a signal that would end the process is only noted, and raised by :meth:`check`.

    An exception thrown between the start of a child and the note of its id would leave that child behind.
    """

    def __init__(self) -> None:
        self._number: int | None = None

    def check(self) -> None:
        """Raise if a signal has come.

        Raises:
            Interrupted: One has.
        """
        if self._number is not None:
            raise Interrupted(self._number)

    def __enter__(self) -> Interruption:
        self._before = {number: signal.getsignal(number) for number in _SIGNALS}
        for number, handler in self._before.items():
            if handler is not signal.SIG_IGN:  # nohup and background jobs ignore some signals on purpose
                signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._number = number
