"""All settings of this package, for what has to know each of them."""

from __future__ import annotations

from ._base.variable_names import ours
from ._wiring import declared
from .sentry import _settings as sentry

DECLARED = (*declared.DECLARED, *sentry.DECLARED)
OURS = ours(DECLARED)
"""The variables of this package that a user sets."""
