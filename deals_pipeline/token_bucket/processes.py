"""What a process keeps open, shared by its threads, and what becomes of it in forked children."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from threading import Lock, RLock, get_ident
from typing import Any, Final, Generic, Protocol, TypeVar
from weakref import WeakSet

from deals_pipeline.token_bucket.ledger import Lease, LedgerError

FORK_SECONDS_MAX: Final = 5.0
"""How long a fork waits for a transaction of another thread to end."""


class Closable(Protocol):
    """A connection."""

    def close(self) -> None:
        """Close it."""


Connection = TypeVar("Connection", bound=Closable)


class SharedConnection(Generic[Connection]):
    """One connection that the threads of a process take turns with, opened when it is first used.

    One that `is_usable` denies is replaced. It is closed before a fork: a child that inherits SQLite's knowledge of its
    parent's locks takes them for its own, even with a connection of its own. Do not fork during one's turn.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        is_usable: Callable[[Connection], bool],
        seconds_max: float,
        busy: Callable[[], LedgerError],
    ) -> None:
        self.number: Final = next(_NUMBERS)
        self._connect = connect
        self._is_usable = is_usable
        self._seconds_max = seconds_max
        self._busy = busy
        self._open: Connection | None = None
        self._lock = Lock()
        self._thread: int | None = None
        _CONNECTIONS.add(self)

    @contextmanager
    def turn(self) -> Iterator[Connection]:
        """Have the connection for oneself; raises `busy()` when one's turn has not come after `seconds_max`."""
        lock = self._lock
        if not lock.acquire(timeout=self._seconds_max):
            raise self._busy()
        try:
            self._thread = get_ident()
            if self._open is not None and not self._is_usable(self._open):
                self._close()
            if self._open is None:
                self._open = self._connect()
            yield self._open
        finally:
            self._thread = None
            lock.release()

    def close(self) -> None:
        """Close the connection, when nobody uses it; whoever takes a turn afterwards opens another."""
        with self._lock:
            self._close()

    def pause(self) -> bool:
        """Close the connection and let nobody open it until `resume`; return whether its turn came."""
        if self._thread == get_ident() or not self._lock.acquire(timeout=FORK_SECONDS_MAX):
            return False
        self._close()
        return True

    def resume(self) -> None:
        """End a pause."""
        self._lock.release()

    def begin_anew(self) -> None:
        """Forget what was inherited; it stays open, because closing it would end what the parent is doing."""
        self._lock, self._thread = Lock(), None
        _INHERITED.append(self._open)
        self._open = None

    def _close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


@dataclass(slots=True)
class Held:
    """A lease that is held, the process that took it, and how many blocks of it use it."""

    lease: Lease
    release: Callable[[], None]
    pid: int
    blocks: int = 0


class HeldLeases:
    """The leases of one process: a run that asks again while it has its lease holds it until its last block ends.

    A forked child shares its parent's leases: their locks live until both are gone, and only the parent gives them
    back.
    """

    def __init__(self) -> None:
        self._held: dict[str, Held] = {}
        self._lock = Lock()
        _LEASES.add(self)

    @contextmanager
    def hold(self, run_id: str, take: Callable[[], tuple[Lease, Callable[[], None]]]) -> Iterator[Lease]:
        """Hold a lease that `take` gets, together with the way to release it, unless it is held already."""
        with self._lock:
            held = self._held.get(run_id)
            if held is None:
                held = self._held[run_id] = Held(*take(), os.getpid())
            held.blocks += 1
        try:
            yield held.lease
        finally:
            with self._lock:
                held.blocks -= 1
                if held.blocks == 0 and held.pid == os.getpid():
                    del self._held[run_id]
                    held.release()

    def begin_anew(self) -> None:
        """Forget which thread of the parent was about to change something."""
        self._lock = Lock()


_NUMBERS: Final = count()
_CONNECTIONS: Final[WeakSet[SharedConnection[Any]]] = WeakSet()
_LEASES: Final[WeakSet[HeldLeases]] = WeakSet()
_INHERITED: Final[list[object]] = []
_FORKING: Final = RLock()
_PAUSED: Final[list[SharedConnection[Any]]] = []


def _before_fork() -> None:
    _FORKING.acquire()
    # In the order in which they were made: a ledger's writer, under which its reader may be used, comes first.
    connections = sorted(_CONNECTIONS, key=lambda connection: connection.number)
    _PAUSED.extend(connection for connection in connections if connection.pause())


def _after_fork_in_parent() -> None:
    for connection in _PAUSED:
        connection.resume()
    _PAUSED.clear()
    _FORKING.release()


def _after_fork_in_child() -> None:
    for connection in _CONNECTIONS:
        connection.begin_anew()
    for leases in _LEASES:
        leases.begin_anew()
    _PAUSED.clear()
    _FORKING.release()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
