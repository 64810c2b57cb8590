"""A proxy between a client and a server that counts bytes, can lose answers and cut connections, as a network does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from random import Random

_FRAME_HEADER_BYTES = 9
_DATA, _HEADERS = 0, 1
_END_OF_STREAM = 1


class LosingProxy:
    """Passes everything on, but cuts the connection in place of the next `lose_answers` answers.

    Beside these it loses any other answer with the probability `lost_share`.
    """

    def __init__(self, target: str, lost_share: float = 0.0, seed: int = 0) -> None:
        self._host, _, self._port = target.rpartition(":")
        self._lost_share, self._random = lost_share, Random(seed)  # noqa: S311 - no secret
        self.lose_answers = 0
        self.lost_answers = 0
        """How many were lost so far."""
        self.cuts: list[int] = []
        """After how many more bytes, of both directions, to cut the connection, once each."""
        self.requested_bytes = 0
        """From the client to the server."""
        self.answered_bytes = 0
        """From the server to the client."""
        self.address = ""
        self._serving: set[asyncio.Task[None]] = set()
        self._is_over = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["LosingProxy"]:
        """Listen at `address` until the block ends."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        self.address = f"{host}:{port}"
        async with server:
            yield self
            self._is_over.set()
            await asyncio.gather(*self._serving)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving = asyncio.create_task(self._pass_on(reader, writer))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)
        await serving

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, to_server = await asyncio.open_connection(self._host, int(self._port))
        pumps = [
            asyncio.create_task(self._requests(reader, to_server)),
            asyncio.create_task(self._answers(upstream, writer)),
            asyncio.create_task(self._is_over.wait()),
        ]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in pumps:
            pump.cancel()
        for side in (writer, to_server):
            side.transport.abort()

    async def _requests(self, reader: asyncio.StreamReader, to_server: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                if self._cuts_within(len(data)):
                    return
                self.requested_bytes += len(data)
                to_server.write(data)
                await to_server.drain()

    async def _answers(self, upstream: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass frames on until one is an answer that is to be lost."""
        answered: set[bytes] = set()
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                header = await upstream.readexactly(_FRAME_HEADER_BYTES)
                payload = await upstream.readexactly(int.from_bytes(header[:3]))
                if _is_answer(header, payload, answered) and self._loses():
                    return
                if self._cuts_within(len(header) + len(payload)):
                    return
                self.answered_bytes += len(header) + len(payload)
                writer.write(header + payload)
                await writer.drain()

    def _cuts_within(self, size: int) -> bool:
        """Tell whether the connection is to be cut in place of the next `size` bytes."""
        if not self.cuts:
            return False
        self.cuts[0] -= size
        if self.cuts[0] > 0:
            return False
        self.cuts.pop(0)
        return True

    def _loses(self) -> bool:
        """Tell whether the answer that begins is to be lost."""
        if not self.lose_answers and self._random.random() >= self._lost_share:
            return False
        self.lose_answers = max(0, self.lose_answers - 1)
        self.lost_answers += 1
        return True


def _is_answer(header: bytes, payload: bytes, answered: set[bytes]) -> bool:
    """Tell whether a frame of HTTP/2 is, or begins, an answer; `answered` remembers the streams that had one.

    That is data, of which a stream may have much, or an error, which comes without any.
    """
    kind, flags, stream = header[3], header[4], header[5:]
    if kind == _DATA and payload:
        answered.add(stream)
        return True
    return kind == _HEADERS and bool(flags & _END_OF_STREAM) and stream not in answered
