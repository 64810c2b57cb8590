"""The bare echo: for each call of ours one that moves as many bytes both ways, and does nothing."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import grpc
from typing_extensions import override

from bench.echo_server import CALL, STREAM
from bench.keepers.adapter import AdapterKeeper
from bench.keepers.base import Conversation, StoreKeeper
from bench.keepers.event_requests import batch_requests
from bench.keepers.sizes import Sizes, SizingTransport
from bench.recorded import BATCH_EVENTS
from sessionstore import MemorySessionStore
from sessionstore.adapter import ServiceAdapter
from sessionstore.channel import CLIENT_OPTIONS
from sessionstore.v1.trace_pb2 import AppendTraceEventsResponse

PROGRESS_BYTES = AppendTraceEventsResponse(position=5000, revision=50).ByteSize()
"""Of the answer to a batch of events."""


class EchoKeeper(StoreKeeper):
    """The echo server at `address`; how large the calls are it finds out with a store in memory."""

    def __init__(self, name: str, address: str, *others: Any) -> None:
        super().__init__(name, *others)
        self._channel = grpc.aio.insecure_channel(address, CLIENT_OPTIONS)
        self._call: Any = self._channel.unary_unary(CALL)
        self._transport = SizingTransport(MemorySessionStore()._transport)  # noqa: SLF001
        self._real = AdapterKeeper("sizes", ServiceAdapter(self._transport), self.recorded)
        self._requests: dict[tuple[str, int], bytes] = {}

    @override
    async def begin(self, conversation: Conversation) -> None:
        conversation.data = conversation.length
        if ("append", conversation.length) not in self._requests:
            await self._measure(conversation.length)

    async def _measure(self, length: int) -> None:
        """Find out how large the calls of a conversation are that began with so many messages."""
        real = await self._real.new(length)
        await self._note("append", length, lambda: self._real.save_turn(real))
        await self._real.load_again(real)
        await self._note("load", length, lambda: self._real.load(real))
        await self._real.save_turn(real)
        await self._note("load_again", length, lambda: self._real.load_again(real))
        await self._note("exists", length, lambda: self._real.exists(real))

    async def _note(self, operation: str, length: int, call: Callable[[], Awaitable[object]]) -> None:
        await call()
        self._requests[operation, length] = self._transport.sizes.content

    @override
    async def append(self, conversation: Conversation, messages: Sequence[Any]) -> None:
        await self._call(self._requests["append", conversation.data])

    @override
    async def load(self, conversation: Conversation) -> int:
        await self._call(self._requests["load", conversation.data])
        return conversation.length

    @override
    async def load_again(self, conversation: Conversation) -> int:
        await self._call(self._requests["load_again", conversation.data])
        return conversation.length

    @override
    async def exists(self, conversation: Conversation) -> bool:
        await self._call(self._requests["exists", conversation.data])
        return True

    @override
    async def list_page(self, page_token: str, page_size: int) -> tuple[int, str]:
        if ("list", page_size) not in self._requests:
            for _ in range(page_size + 1):
                await self._real.new(1)
            await self._note("list", page_size, lambda: self._real.list_page("", page_size))
        await self._call(self._requests["list", page_size])
        return page_size, ""

    @override
    def batches(self, kind: str, count: int) -> Sequence[Any]:
        requests = batch_requests(kind, self.recorded, count)
        return [Sizes(request.ByteSize(), PROGRESS_BYTES).content for request in requests]

    @override
    async def begin_run(self, session_id: str) -> None:
        pass

    @override
    async def upload(self, kind: str, session_id: str, batches: Sequence[Any]) -> int:
        answers: Any = self._channel.stream_stream(STREAM)(iter(batches))
        return sum([BATCH_EVENTS async for _ in answers])

    @override
    async def aclose(self) -> None:
        await self._channel.close()
        await self._real.aclose()
