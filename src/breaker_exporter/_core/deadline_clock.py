"""The time that the deadlines of calls run on, in monotonic seconds; tests put a clock of their own here."""

from time import monotonic

__all__ = ["monotonic"]
