"""Makes the custody of a wrapped exporter that retains what it cannot deliver."""

from __future__ import annotations

from typing import Any

from .accounts import Accounts
from .custody import Custody
from .custody_settings import CustodySettings
from .disk_place import DiskPlace
from .payload import StoringEncoder
from .retention import Retention
from .runner import Runner
from .signal_contract import SignalContract
from .wrapped import Wrapped


def custody_of(
    name: str,
    retention: Retention,
    wrapped: Wrapped[Any],
    storing_encoder: StoringEncoder | None,
    signal: SignalContract,
    accounts: Accounts,
    runner: Runner,
) -> Custody:
    """The custody of this process.

    Args:
        name: Of the exporter.
        retention: Is on.
        wrapped: The wrapped exporter.
        storing_encoder: The same, where its encoded batches can lie on a disk.
        signal: Of its batches.
        accounts: Of the exporter.
        runner: Makes its calls.
    """
    place = None
    if retention.directory is not None and storing_encoder is not None:
        place = DiskPlace(retention, name, storing_encoder, signal.in_order)
    settings = CustodySettings(
        name,
        signal.unit,
        wrapped,
        wrapped.export_timeout,
        retention,
        signal.in_order,
        place,
        can_use_disk=storing_encoder is not None,
    )
    return Custody(settings, accounts, runner)
