"""Locks that die with their holders: one file for each run, locked by `flock`, which the kernel gives back."""

import fcntl
import os
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final
from urllib.parse import quote

SHOWN_CHARACTERS_MAX: Final = 80


@dataclass(frozen=True, slots=True)
class LockFile:
    """A lock that is held. A forked child holds it too, until it ends or the lock is released."""

    path: Path
    fd: int

    def remove(self) -> None:
        """Delete the file; the lock is held on."""
        self.path.unlink(missing_ok=True)

    def release(self) -> None:
        """Give the lock back."""
        fcntl.flock(self.fd, fcntl.LOCK_UN)
        os.close(self.fd)


@dataclass(frozen=True, slots=True)
class LockFiles:
    """The locks of one account's runs in a directory. Raises `OSError` where that cannot be written.

    Its users take and remove locks in a transaction of the ledger, hence one after the other.
    """

    directory: Path
    account: str

    def take(self, run_id: str) -> LockFile | None:
        """Take a run's lock; `None` when somebody holds it."""
        return _take(self.path(run_id))

    def is_free(self, run_id: str) -> bool:
        """Return whether nobody holds a run's lock; its file is then deleted."""
        return _clear(self.path(run_id))

    def clear_all_but(self, run_ids: Iterable[str]) -> None:
        """Delete the files of all other runs that nobody holds."""
        kept = {self.path(run_id) for run_id in run_ids}
        for path in self.directory.glob(f"{self.account}-*.lock"):
            if path not in kept:
                _clear(path)

    def path(self, run_id: str) -> Path:
        """Return the file of a run, whatever characters its id has."""
        digest = sha256(run_id.encode()).hexdigest()[:8]
        return self.directory / f"{self.account}-{quote(run_id, safe='')[:SHOWN_CHARACTERS_MAX]}-{digest}.lock"


def _clear(path: Path) -> bool:
    lock = _take(path)
    if lock is None:
        return False
    try:
        lock.remove()
    finally:
        lock.release()
    return True


def _take(path: Path) -> LockFile | None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    except BaseException:
        os.close(fd)
        raise
    return LockFile(path, fd)
