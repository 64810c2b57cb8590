"""Lists as plain stubs ask for them, and what they cost."""

from collections.abc import AsyncIterator

import pytest

from sessionstore.errors import InvalidArgumentError
from sessionstore.v1 import session_pb2 as pb
from sessionstore.wire.methods import COUNT_SESSIONS, LIST_SESSIONS, SAVE_SESSION
from sessionstore_server.backends.memory import MemoryBackend
from sessionstore_server.services.assembly import services_over
from sessionstore_server.services.custom.services import services_of_store
from sessionstore_server.services.handlers import Caller, Services
from sessionstore_server.stores import MemorySessionStore

CALLER = Caller()


@pytest.fixture(params=["backend", "store"])
async def services(request) -> AsyncIterator[Services]:
    is_backend = request.param == "backend"
    services = services_over(MemoryBackend()) if is_backend else services_of_store(MemorySessionStore())
    await services.open()
    yield services
    await services.aclose()


BAD_LISTS = {
    "filter.state": {"filter": {"state": 99}},
    "filter.tenant_id": {"filter": {"tenant_id": "a\0"}},
    "filter.name_prefix": {"filter": {"name_prefix": "a" * 513}},
    "order_by": {"order_by": 99},
    "page_token": {"page_token": "elsewhere"},
    "page_size": {"page_size": -1},
}


@pytest.mark.parametrize("field", BAD_LISTS)
async def test_a_bad_value_is_refused_by_its_name(services: Services, field: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        await services.handlers[LIST_SESSIONS](pb.ListSessionsRequest(**BAD_LISTS[field]), CALLER)
    assert caught.value.field == field


@pytest.mark.parametrize("field", ["filter.state", "filter.tenant_id"])
async def test_a_bad_count_is_refused_by_its_name(services: Services, field: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        await services.handlers[COUNT_SESSIONS](pb.CountSessionsRequest(**BAD_LISTS[field]), CALLER)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("field", "value"), [("filter", {}), ("order_by", pb.SESSION_ORDER_NAME), ("descending", True)]
)
async def test_what_has_no_session_is_not_selected(services: Services, field: str, value: object) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        await services.handlers[LIST_SESSIONS](pb.ListSessionsRequest(unsaved=True, **{field: value}), CALLER)
    assert caught.value.field == field


async def test_no_list_reads_a_session() -> None:
    class Counting(MemoryBackend):
        reads = 0

        async def read(self, *arguments, **options):
            self.reads += 1
            return await super().read(*arguments, **options)

    services = services_over(backend := Counting())
    await services.open()
    for session_id in "abc":
        await services.handlers[SAVE_SESSION](pb.SaveSessionRequest(session={"id": session_id, "state": 2}), CALLER)
    before = backend.reads
    page = await services.handlers[LIST_SESSIONS](pb.ListSessionsRequest(order_by=pb.SESSION_ORDER_NAME), CALLER)
    count = await services.handlers[COUNT_SESSIONS](pb.CountSessionsRequest(filter={"state": 2}), CALLER)
    assert ([summary.id for summary in page.sessions], count.count) == (["a", "b", "c"], 3)
    assert backend.reads == before
    await services.aclose()
