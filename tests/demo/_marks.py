"""Marks of this suite."""

from __future__ import annotations

import pytest

draws = pytest.mark.filterwarnings("ignore:.* deprecated - use .*:DeprecationWarning")
"""For a test that draws: an older matplotlib uses what a newer pyparsing calls deprecated."""
