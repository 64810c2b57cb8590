"""Our server as any gRPC client uses it: generated stubs, unary calls, no models."""

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import uuid4

import grpc
from typing_extensions import override

from bench.keepers.adapter import new_run
from bench.keepers.base import Conversation, StoreKeeper
from bench.keepers.event_requests import batch_requests, start_request
from sessionstore import Message
from sessionstore.channel import CLIENT_OPTIONS
from sessionstore.v1 import run_pb2, run_pb2_grpc, session_pb2, session_pb2_grpc, trace_pb2_grpc
from sessionstore.wire import records


class PlainKeeper(StoreKeeper):
    """A server at `address`."""

    def __init__(self, name: str, address: str, *others: Any) -> None:
        super().__init__(name, *others)
        self._channel = grpc.aio.insecure_channel(address, CLIENT_OPTIONS)
        self._sessions = session_pb2_grpc.SessionServiceStub(self._channel)
        self._traces = trace_pb2_grpc.TraceServiceStub(self._channel)
        self._runs = run_pb2_grpc.RunServiceStub(self._channel)
        self._read: dict[str, session_pb2.HeldMessages] = {}
        """What `load_again` holds of each conversation."""

    @override
    def converted(self, message: Message) -> Any:
        return records.MESSAGE.to_proto(message)

    @override
    async def begin(self, conversation: Conversation) -> None:
        state = records.SESSION.to_proto(self.recorded.state)
        state.id = conversation.id
        conversation.data = session_pb2.SaveSessionRequest(session=state)
        if conversation.length:
            await self._save(conversation, self.messages(0, conversation.length), conversation.length)

    @override
    async def append(self, conversation: Conversation, messages: Sequence[Any]) -> None:
        conversation.data.session.updated_at += 1
        await self._save(conversation, messages, conversation.length + len(messages))

    async def _save(self, conversation: Conversation, messages: Sequence[Any], length: int) -> None:
        request = conversation.data
        request.request_id = uuid4().hex
        del request.messages[:]
        request.messages.extend(messages)
        answer = await self._sessions.SaveSession(request)
        request.base.CopyFrom(_held(answer, length))

    @override
    async def load(self, conversation: Conversation) -> int:
        answer = await self._sessions.LoadSession(session_pb2.LoadSessionRequest(session_id=conversation.id))
        return len(answer.messages)

    @override
    async def load_again(self, conversation: Conversation) -> int:
        request = session_pb2.LoadSessionRequest(session_id=conversation.id, held=self._read.get(conversation.id))
        answer = await self._sessions.LoadSession(request)
        length = answer.held_count + len(answer.messages)
        self._read[conversation.id] = _held(answer, length)
        return length

    @override
    async def exists(self, conversation: Conversation) -> bool:
        answer = await self._sessions.SessionExists(session_pb2.SessionExistsRequest(session_id=conversation.id))
        return answer.exists

    @override
    async def list_page(self, page_token: str, page_size: int) -> tuple[int, str]:
        request = session_pb2.ListSessionsRequest(page_size=page_size, page_token=page_token)
        answer = await self._sessions.ListSessions(request)
        return len(answer.sessions), answer.next_page_token

    @override
    def batches(self, kind: str, count: int) -> Sequence[Any]:
        return batch_requests(kind, self.recorded, count)

    @override
    async def begin_run(self, session_id: str) -> None:
        run = records.RUN_RECORD.to_proto(new_run(session_id))
        await self._runs.SaveRunRecords(run_pb2.SaveRunRecordsRequest(session_id=session_id, run_records=[run]))

    @override
    async def upload(self, kind: str, session_id: str, batches: Sequence[Any]) -> int:
        stub = self._traces.AppendTraceEvents if kind == "trace" else self._runs.AppendRunEvents
        durable = 0
        async for answer in stub(_stream(kind, session_id, batches)):
            durable = answer.position
        return durable

    @override
    async def aclose(self) -> None:
        await self._channel.close()


async def _stream(kind: str, session_id: str, batches: Sequence[Any]) -> AsyncIterator[Any]:
    yield start_request(kind, session_id)
    for batch in batches:
        yield batch


def _held(answer: Any, length: int) -> session_pb2.HeldMessages:
    return session_pb2.HeldMessages(revision=answer.revision, message_count=length, instance=answer.instance)
