"""Every RPC of the protos is known to the client and answered by the server; none is forgotten on the way."""

import importlib
import io
import pkgutil

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass

from sessionstore import SessionStore, v1
from sessionstore.adapter import ServiceAdapter
from sessionstore.connection import STUBS
from sessionstore.store import SessionChange
from sessionstore.transport import Kind, Method
from sessionstore.wire import methods
from sessionstore_server.backends.memory import MemoryBackend
from sessionstore_server.services.assembly import services_over
from sessionstore_server.services.custom.services import services_of_store
from sessionstore_server.stores import MemorySessionStore

RPCS = [
    rpc
    for module in pkgutil.iter_modules(v1.__path__)
    if module.name.endswith("_pb2")
    for service in importlib.import_module(f"sessionstore.v1.{module.name}").DESCRIPTOR.services_by_name.values()
    for rpc in service.methods
]
KINDS = {
    (False, False): Kind.UNARY,
    (True, False): Kind.UPLOAD,
    (False, True): Kind.DOWNLOAD,
    (True, True): Kind.DUPLEX,
}


KINDS_OF_CALLS = {kind.value for kind in Kind}


def found(rpc: MethodDescriptor) -> Method:
    (method,) = (each for each in methods.ALL_METHODS if each.path == f"/{rpc.containing_service.full_name}/{rpc.name}")
    return method


def test_no_method_is_invented_or_doubled() -> None:
    assert len(methods.ALL_METHODS) == len(RPCS) == len({method.path for method in methods.ALL_METHODS}) > 20


@pytest.mark.parametrize("rpc", RPCS, ids=lambda rpc: rpc.name)
def test_the_table_has_the_types_and_the_kind(rpc: MethodDescriptor) -> None:
    method = found(rpc)
    assert (method.request, method.response) == (GetMessageClass(rpc.input_type), GetMessageClass(rpc.output_type))
    assert method.kind is KINDS[rpc.client_streaming, rpc.server_streaming]


@pytest.mark.parametrize("rpc", RPCS, ids=lambda rpc: rpc.name)
async def test_a_call_is_made_by_the_generated_stub_of_its_service(rpc: MethodDescriptor) -> None:
    stub = STUBS[rpc.containing_service.full_name]
    assert stub.__name__ == f"{rpc.containing_service.name}Stub"
    async with grpc.aio.insecure_channel("localhost:1") as channel:
        assert hasattr(stub(channel), rpc.name)


def test_no_stub_is_left_over() -> None:
    assert STUBS.keys() == {rpc.containing_service.full_name for rpc in RPCS}


@pytest.mark.parametrize("rpc", RPCS, ids=lambda rpc: rpc.name)
def test_calls_that_change_nothing_are_marked(rpc: MethodDescriptor) -> None:
    """Only these are repeated; their names begin with one of these verbs, or are the question itself."""
    assert found(rpc).reads is (
        rpc.name.startswith(("Load", "List", "Get", "Check", "Count", "Find", "Read", "Follow", "Watch"))
        or rpc.name == "SessionExists"
    )


def test_both_kinds_of_services_answer_every_call() -> None:
    assert services_over(MemoryBackend()).handlers.keys() == set(methods.ALL_METHODS)
    assert services_of_store(MemorySessionStore()).handlers.keys() == set(methods.ALL_METHODS)


def test_the_adapter_speaks_every_operation_of_the_interface() -> None:
    public = {name for name in dir(SessionStore) if callable(getattr(SessionStore, name)) and not name.startswith("_")}
    inherited = {name for name in public if getattr(ServiceAdapter, name) is getattr(SessionStore, name)}
    assert inherited - {"from_url", "update"} == set()


async def test_the_adapter_calls_every_method() -> None:
    """Drive the whole interface, and note what goes through the transport, which carries calls in others by itself."""
    from sessionstore.testing import samples
    from sessionstore.testing.appends import each, last
    from sessionstore.testing.run_records import text_events

    called: set[Method] = set()
    store = MemorySessionStore()
    transport = store._transport

    class Noting:
        name = transport.name

        def __getattr__(self, kind: str):
            def call(method, request):
                called.add(method)
                return getattr(transport, kind)(method, request)

            return call if kind in KINDS_OF_CALLS else getattr(transport, kind)

    store._transport = Noting()
    loop, workflow = samples.loop_checkpoint(), samples.workflow_checkpoint()
    await store.save(samples.session("one"))
    await store.save_snapshot(samples.snapshot("two"))
    for kind, records in {
        "artifacts": samples.artifacts(),
        "trace_events": samples.trace_events(),
        "run_records": samples.run_records("one"),
        "verification_reports": samples.verification_reports(),
        "subagent_tasks": samples.subagent_tasks("one"),
    }.items():
        await getattr(store, f"save_{kind}")("one", records)
        assert await getattr(store, f"load_{kind}")("one") == records
    await store.save_loop_checkpoint(loop.run_id, loop)
    await store.save_workflow_checkpoint(workflow.workflow_id, workflow)
    (listed, *_) = await store.list_artifacts("one")
    content = next(iter(samples.artifacts())).content.encode()
    assert (await store.write_blob(io.BytesIO(content))).sha256 == listed.sha256
    assert [piece async for piece in store.read_blob(listed.sha256)] == [content]
    assert await store.load("one") == samples.session("one")
    assert await store.load_snapshot("two") == samples.snapshot("two")
    assert await store.load_loop_checkpoint(loop.run_id) == loop
    assert await store.load_workflow_checkpoint(workflow.workflow_id) == workflow
    assert await store.list() == ["one", "two"]
    assert await store.count_sessions() == 2
    assert not (await anext(store.watch())).commits
    lease = await store.renew_lease(await store.acquire_lease("one", "holder", 1), 60)
    assert [each async for each in store.list_leases()] == [lease]
    await store.release_lease(lease)
    assert await store.list_loop_checkpoints() == [loop.run_id]
    assert await store.list_workflow_checkpoints() == [workflow.workflow_id]
    assert await store.exists("one")
    assert await store.commit("one", SessionChange(trace_events=samples.trace_events())) == 7
    assert await store.fork("one", "fork") == 1
    assert [each.revision for each in await store.list_revisions("fork")] == [1]
    traces, (_, run), events = samples.trace_events(), samples.run_records("stream"), text_events(3)
    await store.save_run_records("stream", [run])
    assert await last(store.append_trace_events("stream", each([traces]))) == len(traces)
    assert await last(store.append_run_events("stream", run.snapshot.id, each([events]))) == len(events)
    assert (await store.read_trace_events("stream")).trace_events == traces
    assert (await store.read_run_events("stream", run.snapshot.id)).events == events
    assert await anext(store.follow_trace_events("stream")) == traces[0]
    assert await anext(store.follow_run_events("stream", run.snapshot.id)) == events[0]
    await store.delete("one")
    await store.delete_loop_checkpoint(loop.run_id)
    await store.delete_workflow_checkpoint(workflow.workflow_id)
    await store.capabilities()
    await store.health_check()
    await store.aclose()
    assert called == set(methods.ALL_METHODS) - {methods.TRANSFER, methods.MULTIPLEX}
