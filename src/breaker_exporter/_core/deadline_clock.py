"""The clock of deadlines, in monotonic seconds; tests replace it by one that they move."""

from time import monotonic

__all__ = ["monotonic"]
