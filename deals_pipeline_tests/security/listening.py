"""On which addresses processes listen, as the kernel tells it."""

import socket
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

LISTENS = "0A"


def listening(pids: Iterable[int]) -> set[tuple[str, int]]:
    """Return the addresses and ports on which these processes listen for TCP."""
    sockets = {link for pid in pids for link in _open_files(pid)}
    found = set()
    for family in ("tcp", "tcp6"):
        for line in Path("/proc/net", family).read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == LISTENS and f"socket:[{inode}]" in sockets:
                address, _, port = local.partition(":")
                found.add((_written(bytes.fromhex(address)), int(port, 16)))
    return found


def _open_files(pid: int) -> set[str]:
    found = set()
    with suppress(OSError):  # it has ended
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                found.add(str(descriptor.readlink()))
    return found


def _written(address: bytes) -> str:
    """Return an address as one writes it; the kernel shows it in words of the machine's byte order."""
    words = b"".join(
        socket.htonl(int.from_bytes(address[at : at + 4], "big")).to_bytes(4, "big") for at in range(0, len(address), 4)
    )
    if len(words) == 4:
        return str(IPv4Address(words))
    long = IPv6Address(words)
    return str(long.ipv4_mapped or long)
