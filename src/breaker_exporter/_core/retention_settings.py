"""The settings of retention, with their defaults: the one place for them."""

from __future__ import annotations

import enum

from .._base.setting import COUNT, COUNT_OR_ZERO, PATH, POSITIVE, Setting, members, seconds


class Keep(enum.StrEnum):
    """The items that stay where not all fit."""

    NEWEST = "newest"
    OLDEST = "oldest"


RETAIN_MEMORY = Setting(
    variables=("BREAKER_EXPORTER_RETAIN_MEMORY",),
    argument="memory",
    kind=COUNT_OR_ZERO,
    default=16 << 20,
    unit="bytes",
    about="memory of a process for what could not be delivered yet, all its exporters together; "
    "0: nothing is kept there",
)
RETAIN_DIRECTORY: Setting[str | None] = Setting(
    variables=("BREAKER_EXPORTER_RETAIN_DIRECTORY",),
    argument="directory",
    kind=PATH,
    default=None,
    about="where it is kept on disk too, so that it survives the process; all processes of a host share it",
)
RETAIN_DISK = Setting(
    variables=("BREAKER_EXPORTER_RETAIN_DISK",),
    argument="disk",
    kind=COUNT,
    default=256 << 20,
    unit="bytes",
    about="disk that a service may take there, all its processes and exporters together",
)
RETAIN_MAX_AGE = Setting(
    variables=("BREAKER_EXPORTER_RETAIN_MAX_AGE",),
    argument="max_age",
    kind=seconds(7 * 86_400.0),
    default=86_400.0,
    unit="s",
    about="age at which what is kept is dropped",
)
REPLAY_RATE = Setting(
    variables=("BREAKER_EXPORTER_REPLAY_RATE",),
    argument="replay_rate",
    kind=POSITIVE,
    default=4.0,
    about="most that is replayed, in multiples of what the service sends by itself",
)
KEEP = Setting(
    argument="keep",
    kind=members(Keep),
    default=Keep.NEWEST,
    about="`newest` drops the oldest items where not all fit, `oldest` keeps the start of an outage",
)
DECLARED = (RETAIN_MEMORY, RETAIN_DIRECTORY, RETAIN_DISK, RETAIN_MAX_AGE, REPLAY_RATE, KEEP)
