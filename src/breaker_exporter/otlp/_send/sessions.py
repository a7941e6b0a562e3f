"""The sessions that one poster sends by: a given one, or own ones, one for each gevent hub."""

from __future__ import annotations

import os
import socket

import requests

from ..._concurrency.one_a_hub import OneAHub
from .connections import OwnSession, close_inherited

_parents: list[_OfWorld] = []
"""Sessions of a parent process: to finalize them here could wait for a lock that nobody holds any more."""


class GivenSession:
    """A session of the user's, who closes it."""

    is_own = False

    def __init__(self, session: requests.Session) -> None:
        self._session = session
        self._world = _world()

    @property
    def here(self) -> requests.Session:
        """The session, without connections from before a fork or the monkey patch."""
        self._leave_other_world()
        return self._session

    def close(self) -> None:
        """Leave it to the user."""
        self._leave_other_world()

    def _leave_other_world(self) -> None:
        before, self._world = self._world, _world()
        if before != self._world:
            self._session.close()


class OwnSessions:
    """Sessions of this package's, which share no connection.

    Args:
        first: One; the others are like it.
    """

    is_own = True

    def __init__(self, first: OwnSession) -> None:
        self._first = first
        self._latest = _OfWorld(first)

    @property
    def here(self) -> OwnSession:
        """The session of the caller's hub; where sockets are not gevent's, that of all threads."""
        latest = self._latest
        if latest.process != os.getpid() or latest.socket is not socket.socket:
            latest = self._renewed(latest)
        return latest.sessions.here

    def close(self) -> None:
        """Close what is kept alive."""
        _ = self.here
        self._latest.close()

    def _renewed(self, former: _OfWorld) -> _OfWorld:
        """Leave connections from before a fork, and from before the monkey patch: they would hold the hub."""
        self._latest = latest = _OfWorld(self._first.renewed())
        if former.process != latest.process:
            close_inherited()
            _parents.append(former)
        else:
            former.close()
        return latest


class _OfWorld:
    """The sessions of one process, and of one class of sockets.

    All in one: another thread must not find a new process with the sessions of the old one.
    """

    __slots__ = ("process", "sessions", "socket")

    def __init__(self, first: OwnSession) -> None:
        self.process, self.socket = _world()
        self.sessions = OneAHub(first, first.renewed, OwnSession.close)

    def close(self) -> None:
        for session in self.sessions.known:
            session.close()


def _world() -> tuple[int, type[socket.socket]]:
    return os.getpid(), socket.socket
