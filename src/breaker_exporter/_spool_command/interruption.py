"""Ctrl-C, noted: the batch in hand is finished first, so that no backend gets it twice."""

from __future__ import annotations

import signal
import time
from types import FrameType, TracebackType

_SLICE = 0.1
"""Seconds."""


class Interrupted(Exception):
    """Ctrl-C was pressed."""


class Interruption:
    """While entered, the first Ctrl-C is noted, and raised by :meth:`check`; the second ends the command."""

    def __init__(self) -> None:
        self._is_asked = False

    def check(self) -> None:
        """Raise if Ctrl-C was pressed.

        Raises:
            Interrupted: It was.
        """
        if self._is_asked:
            raise Interrupted

    def sleep(self, seconds: float) -> None:
        """Sleep for so long.

        Raises:
            Interrupted: Ctrl-C was pressed, at the latest a tenth of a second ago.
        """
        until = time.monotonic() + seconds
        self.check()
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _SLICE))
            self.check()

    def __enter__(self) -> Interruption:
        self._before = signal.getsignal(signal.SIGINT)
        if self._before is not signal.SIG_IGN:  # background jobs ignore it on purpose
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._is_asked:
            raise KeyboardInterrupt
        self._is_asked = True
