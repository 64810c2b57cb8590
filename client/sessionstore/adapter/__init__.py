"""`SessionStore` spoken as requests to the services.

Written once: the stores in process and the remote store differ only in the transport that carries the requests. The
modules are those of `sessionstore.store`.
"""

from dataclasses import fields

from typing_extensions import override

from sessionstore.adapter.checkpoints import CheckpointCalls
from sessionstore.adapter.commits import CommitCalls
from sessionstore.adapter.contents import ContentCalls
from sessionstore.adapter.coordination import CoordinationCalls
from sessionstore.adapter.history import HistoryCalls
from sessionstore.adapter.listing import ListCalls
from sessionstore.adapter.records import RecordCalls
from sessionstore.adapter.sessions import SessionCalls
from sessionstore.adapter.streams import StreamCalls
from sessionstore.store import Capabilities, SessionStore
from sessionstore.wire import methods

__all__ = ["ServiceAdapter"]


class ServiceAdapter(
    SessionCalls,
    CommitCalls,
    ListCalls,
    RecordCalls,
    CheckpointCalls,
    StreamCalls,
    ContentCalls,
    HistoryCalls,
    CoordinationCalls,
    SessionStore,
):
    """A session store that calls the services through a transport."""

    @override
    @property
    def backend_name(self) -> str:
        return self._transport.name

    @override
    async def capabilities(self) -> Capabilities:
        response = await self._read(methods.GET_CAPABILITIES)
        return Capabilities(**{field.name: getattr(response, field.name) for field in fields(Capabilities)})

    @override
    async def health_check(self) -> None:
        await self._read(methods.CHECK_HEALTH)

    @override
    async def aclose(self) -> None:
        await self._transport.aclose()
