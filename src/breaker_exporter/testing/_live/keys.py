"""The keys of the live table, and the fault that each switches on."""

from __future__ import annotations

import re

from .._fault_settings import FaultSetting
from .._faults import Fault

FAULTS = {
    "n": FaultSetting.of(Fault.NONE, {}),
    "b": FaultSetting.of(Fault.BLACKHOLE, {}),
    "r": FaultSetting.of(Fault.REFUSE, {}),
    "d": FaultSetting.of(Fault.DRIP, {}),
    "s": FaultSetting.of(Fault.SLOW, {}),
    "x": FaultSetting.of(Fault.RESET, {}),
    "g": FaultSetting.of(Fault.GARBAGE, {}),
    "t": FaultSetting.of(Fault.TRUNCATED, {}),
    "5": FaultSetting.of(Fault.STATUS, {"status": 503}),
    "4": FaultSetting.of(Fault.STATUS, {"status": 400}),
    "9": FaultSetting.of(Fault.RESOURCE_EXHAUSTED, {}),
    "u": FaultSetting.of(Fault.UNAVAILABLE, {}),
    "e": FaultSetting.of(Fault.DEADLINE, {}),
    "l": FaultSetting.of(Fault.TOO_LARGE, {}),
    "p": FaultSetting.of(Fault.PARTIAL_SUCCESS, {}),
    "a": FaultSetting.of(Fault.GOAWAY, {}),
    "k": FaultSetting.of(Fault.TAKEN_THEN_RESET, {}),
    "f": FaultSetting.of(Fault.TAKEN_THEN_CLOSED, {}),
}
"""Each key that switches a fault."""
SIGNAL = "\t"
"""The key that chooses whose fault is switched: that of all signals, or of one alone."""
CLEAR = "c"
"""The key that forgets what has arrived."""
QUIT = ("q", "\x04")
"""The keys that end the command: q, and Ctrl-D."""

_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.|.)?", re.DOTALL)
"""What an arrow or function key sends, or a key pressed with Alt."""
_PASTED = 8
"""More characters than this at once were pasted, not typed: text is no list of faults to switch on."""


def name(setting: FaultSetting) -> str:
    """Return the words that a key's fault is shown with."""
    return f"{setting.fault.value} {setting.status}" if setting.fault is Fault.STATUS else setting.fault.value


def pressed(data: bytes) -> str:
    """Return the keys that were pressed, one character each, from what the terminal has sent."""
    text = _SEQUENCE.sub("", data.decode("utf-8", "ignore")).lower()
    return "" if len(text) > _PASTED else text
