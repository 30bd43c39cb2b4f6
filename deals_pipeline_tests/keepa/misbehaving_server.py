"""An HTTP server on a raw socket that answers each request as it is told, down to the byte and the reset."""

import gzip
import json
import re
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias

from typing_extensions import Self


class Exchange:
    """One request as it arrived, and the connection to answer it on."""

    def __init__(self, connection: socket.socket, request: bytes, closing: threading.Event) -> None:
        self.connection = connection
        self.request = request
        self._closing = closing

    @property
    def target(self) -> bytes:
        """Path and query of the request line."""
        return self.request.split(b" ")[1]

    @property
    def url(self) -> bytes:
        """The whole address, the key included, as a proxy would echo it."""
        host = re.search(rb"(?i)\r\nhost: ([^\r]+)", self.request)
        return b"http://" + (host[1] if host else b"") + self.target

    @property
    def body(self) -> bytes:
        return self.request.partition(b"\r\n\r\n")[2]

    def send(self, raw: bytes) -> None:
        self.connection.sendall(raw)

    def answer(self, status: int, body: bytes, *headers: str) -> None:
        self.send(whole(status, body, *headers))

    def reset(self) -> None:
        """Close the connection with a TCP reset."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def fall_silent(self) -> None:
        """Keep the connection open and say nothing more."""
        self._closing.wait(30)


Behaviour: TypeAlias = Callable[[Exchange], None]


def whole(status: int, body: bytes, *headers: str) -> bytes:
    head = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def zipped(document: object) -> bytes:
    return gzip.compress(json.dumps(document).encode())


class MisbehavingServer:
    """Counts connections and keeps requests; a context manager that leaves nothing open."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.connections = 0
        self.requests: list[bytes] = []
        self._behaviour = behaviour
        self._closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _serve(self) -> None:
        while not self._closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            with connection, suppress(OSError):
                connection.settimeout(10)
                if request := _read_request(connection):
                    self.requests.append(request)
                    self._behaviour(Exchange(connection, request, self._closing))


def _read_request(connection: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        if not (more := connection.recv(65536)):
            return received
        received += more
    head, _, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    while len(body) < (int(length[1]) if length else 0):
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body
