"""The services that every gRPC server has: health and reflection."""

from collections.abc import AsyncIterator

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from sessionstore import MemorySessionStore
from sessionstore.wire.methods import ALL_METHODS
from sessionstore_server.server import running_server

SERVICES = {method.service for method in ALL_METHODS}


@pytest.fixture
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    async with (
        running_server(MemorySessionStore()) as server,
        grpc.aio.insecure_channel(server.address) as channel,
    ):
        yield channel


async def reflected(channel: grpc.aio.Channel, **question: str) -> reflection_pb2.ServerReflectionResponse:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(**question)]))
    return await call.read()


async def test_health_of_the_whole_and_of_each_service(channel) -> None:
    health = health_pb2_grpc.HealthStub(channel)
    for name in ("", *SERVICES):
        answer = await health.Check(health_pb2.HealthCheckRequest(service=name))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING, name
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await health.Check(health_pb2.HealthCheckRequest(service="sessionstore.v1.NoService"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_reflection_lists_and_describes_the_services(channel) -> None:
    listed = await reflected(channel, list_services="")
    names = {service.name for service in listed.list_services_response.service}
    assert names == SERVICES | {"grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}
    described = await reflected(channel, file_containing_symbol="sessionstore.v1.SessionService")
    files = map(FileDescriptorProto.FromString, described.file_descriptor_response.file_descriptor_proto)
    assert "SaveSession" in {method.name for file in files for service in file.service for method in service.method}
