"""A server that speaks raw bytes: it keeps what it heard, and answers from a list."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

type Reply = bytes | Callable[[socket.socket, threading.Event], None]
"""Bytes to send unchanged, or a function that takes the connection, which ends after it."""


def answer(document: Any, status: str = "200 OK", *headers: str) -> bytes:
    body = b"" if document is None else json.dumps(document).encode()
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def hang_up(connection: socket.socket, _: threading.Event) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def say_nothing(_: socket.socket, stopping: threading.Event) -> None:
    stopping.wait(10)


def then_stall(beginning: bytes) -> Reply:
    """Says so much, and no more."""

    def reply(connection: socket.socket, stopping: threading.Event) -> None:
        connection.sendall(beginning)
        stopping.wait(10)

    return reply


def dripping(beginning: bytes, drop: bytes, every: float) -> Reply:
    """Goes on for ever, a drop at a time."""

    def reply(connection: socket.socket, stopping: threading.Event) -> None:
        connection.sendall(beginning)
        with suppress(OSError):
            while not stopping.wait(every):
                connection.sendall(drop)

    return reply


@dataclass
class Heard:
    """One request as it came: its first line, its headers by lower-case name, its body."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int


@dataclass
class Wire:
    """Serves on 127.0.0.1 while it is entered. Each request takes the next of ``replies``."""

    replies: list[Reply] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._stopping = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/api/v1/"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(2)

    def lines(self) -> list[str]:
        return [f"{each.method} {each.target}" for each in self.heard]

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                connection.settimeout(5)
                thread = threading.Thread(target=self._serve, args=(connection, len(self._threads)), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with connection, suppress(OSError):
            for heard in _requests(connection, number):
                self.heard.append(heard)
                reply = self.replies.pop(0)
                if not isinstance(reply, bytes):
                    reply(connection, self._stopping)
                    return
                connection.sendall(reply)


def _requests(connection: socket.socket, number: int) -> Iterator[Heard]:
    stream = connection.makefile("rb")
    while first := stream.readline().decode().split():
        lines = iter(lambda: stream.readline().decode().strip(), "")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = stream.read(int(headers.get("content-length", 0)))
        yield Heard(first[0], first[1], headers, body, number)
