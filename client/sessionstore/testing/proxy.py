"""A proxy between a client and a server that can lose answers, as a network does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_FRAME_HEADER_BYTES = 9
_HEADERS = 1


class LosingProxy:
    """Passes everything on, but cuts the connection in place of the next `lose_answers` answers."""

    def __init__(self, target: str) -> None:
        self._host, _, self._port = target.rpartition(":")
        self.lose_answers = 0
        self.passed_bytes = 0
        """From the client to the server."""
        self.address = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator["LosingProxy"]:
        """Listen at `address` until the block ends."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        self.address = f"{host}:{port}"
        async with server:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, to_server = await asyncio.open_connection(self._host, int(self._port))
        pumps = [
            asyncio.create_task(self._requests(reader, to_server)),
            asyncio.create_task(self._answers(upstream, writer)),
        ]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in pumps:
            pump.cancel()
        for side in (writer, to_server):
            side.transport.abort()

    async def _requests(self, reader: asyncio.StreamReader, to_server: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                self.passed_bytes += len(data)
                to_server.write(data)
                await to_server.drain()

    async def _answers(self, upstream: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass frames on until one begins an answer that is to be lost."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                header = await upstream.readexactly(_FRAME_HEADER_BYTES)
                payload = await upstream.readexactly(int.from_bytes(header[:3]))
                if header[3] == _HEADERS and self.lose_answers:
                    self.lose_answers -= 1
                    return
                writer.write(header + payload)
                await writer.drain()
