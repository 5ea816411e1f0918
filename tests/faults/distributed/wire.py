"""A TCP connection that can be cut: a forwarder on loopback between a worker and a broker or a store.

``cut`` resets all connections and refuses new ones, as a host that went down. ``silence`` keeps them open and delivers
nothing, as a network that drops packets. ``cut_within`` cuts each connection in the midst of what is sent on it. ``slow``
is a long way: with it in front of the store, a given number of events is work for about as long on a fast machine as on a
slow one, which is what a test needs that does something while there is work.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any

CHUNK = 65_536


class Wire:
    """Forwards ``address`` (host:port, its own) to ``port`` on loopback."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._pairs: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._flows = asyncio.Event()
        self._flows.set()
        self._left: int | None = None
        self._delay_s = 0.0
        self.port = 0
        self._thread.start()
        self._do(self._listen())
        self.address = f"127.0.0.1:{self.port}"

    def cut(self) -> None:
        self._do(self._cut())

    def silence(self) -> None:
        self._do(self._silence())

    def cut_within(self, sent: int) -> None:
        """Resets all connections when so many bytes more were sent by the worker; new ones are taken at once."""
        self._left = sent

    def slow(self, delay_s: float) -> None:
        """What is sent takes so long to arrive; 0 ends it."""
        self._delay_s = delay_s

    @property
    def cut_is_due(self) -> bool:
        """``cut_within`` has not come to pass yet."""
        return self._left is not None

    def mend(self) -> None:
        self._do(self._mend())

    def close(self) -> None:
        self._do(self._cut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _listen(self) -> None:
        # The port is kept while the wire is cut, and comes back as the same.
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, reuse_address=True)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._reset()

    async def _reset(self) -> None:
        for pair in list(self._pairs):
            pair.cancel()
        await asyncio.gather(*self._pairs, return_exceptions=True)

    async def _silence(self) -> None:
        self._flows.clear()

    async def _mend(self) -> None:
        self._flows.set()
        if self._server is None:
            await self._listen()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pair = asyncio.current_task()
        assert pair is not None
        self._pairs.add(pair)
        try:
            with suppress(OSError):
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to)
                try:
                    await self._both_ways(reader, writer, far_reader, far_writer)
                finally:
                    far_writer.transport.abort()
        finally:
            # Linger 0: what is cut off learns of it at once.
            linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
            with suppress(OSError):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
            self._pairs.discard(pair)

    async def _both_ways(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        far_reader: asyncio.StreamReader,
        far_writer: asyncio.StreamWriter,
    ) -> None:
        ways = [
            asyncio.create_task(self._pump(reader, far_writer, counted=True)),
            asyncio.create_task(self._pump(far_reader, writer, counted=False)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counted: bool
    ) -> None:
        while data := await reader.read(CHUNK):
            await self._flows.wait()
            if counted and self._delay_s:
                await asyncio.sleep(self._delay_s)
            if counted and self._left is not None:
                if self._left <= len(data):
                    writer.write(data[: self._left])
                    self._left = None
                    await writer.drain()
                    return
                self._left -= len(data)
            writer.write(data)
            await writer.drain()


@contextmanager
def wire_to(port: int) -> Iterator[Wire]:
    wire = Wire(port)
    try:
        yield wire
    finally:
        wire.close()
