"""Our stores as a Python program uses them, models included: in process or over gRPC."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from typing_extensions import override

from bench.keepers.base import RUN_ID, Conversation, StoreKeeper
from sessionstore import RunRecord, RunSnapshot, RunStatus
from sessionstore.adapter import ServiceAdapter


class AdapterKeeper(StoreKeeper):
    """Any of our stores."""

    def __init__(self, name: str, store: ServiceAdapter, *others: Any) -> None:
        super().__init__(name, *others)
        self._store = store
        self._reader = self._newcomer()

    @override
    async def begin(self, conversation: Conversation) -> None:
        messages = self.messages(0, conversation.length)
        conversation.data = self.recorded.state.model_copy(update={"id": conversation.id, "messages": messages})
        if messages:
            await self._store.save(conversation.data)

    @override
    async def append(self, conversation: Conversation, messages: Sequence[Any]) -> None:
        conversation.data.messages.extend(messages)
        conversation.data.updated_at += 1
        await self._store.save(conversation.data)

    @override
    async def load(self, conversation: Conversation) -> int:
        return await _load(self._newcomer(), conversation)

    @override
    async def load_again(self, conversation: Conversation) -> int:
        return await _load(self._reader, conversation)

    @override
    async def exists(self, conversation: Conversation) -> bool:
        return await self._store.exists(conversation.id)

    async def delete(self, conversation: Conversation) -> None:
        """Delete a conversation."""
        await self._store.delete(conversation.id)

    @override
    async def list_page(self, page_token: str, page_size: int) -> tuple[int, str]:
        page = await self._store.list_sessions(page_size, page_token)
        return len(page.sessions), page.next_page_token

    @override
    def batches(self, kind: str, count: int) -> Sequence[Any]:
        return self.recorded.event_batches(kind, count)

    @override
    async def begin_run(self, session_id: str) -> None:
        await self._store.save_run_records(session_id, [new_run(session_id)])

    @override
    async def upload(self, kind: str, session_id: str, batches: Sequence[Any]) -> int:
        if kind == "trace":
            positions = self._store.append_trace_events(session_id, _each(batches))
        else:
            positions = self._store.append_run_events(session_id, RUN_ID, _each(batches))
        *_, durable = [position async for position in positions]
        return durable

    @override
    async def aclose(self) -> None:
        await self._store.aclose()

    def _newcomer(self) -> ServiceAdapter:
        """Return a client that knows nothing of what is kept, over the connection that stands."""
        return ServiceAdapter(self._store._transport)  # noqa: SLF001 - a client by itself would measure connecting


def new_run(session_id: str) -> RunRecord:
    """Return a run without events."""
    snapshot = RunSnapshot(
        id=RUN_ID,
        session_id=session_id,
        status=RunStatus.EXECUTING,
        prompt="",
        created_at_ms=0,
        updated_at_ms=0,
        event_count=0,
    )
    return RunRecord(snapshot=snapshot, events=())


async def _load(store: ServiceAdapter, conversation: Conversation) -> int:
    session = await store.load(conversation.id)
    return 0 if session is None else len(session.messages)


async def _each(batches: Sequence[Any]) -> AsyncIterator[Any]:
    for batch in batches:
        yield batch
