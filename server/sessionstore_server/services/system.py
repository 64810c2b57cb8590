"""What the server keeps and guarantees, and whether its storage works."""

from sessionstore.v1 import system_pb2 as pb
from sessionstore.wire.methods import CHECK_HEALTH, GET_CAPABILITIES
from sessionstore_server.backends.base import Backend
from sessionstore_server.services.handlers import Caller, HandlerTable


class SystemService:
    """Answers `sessionstore.v1.SystemService`."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def handlers(self) -> HandlerTable:
        """Return what answers which method."""
        return {GET_CAPABILITIES: self.get_capabilities, CHECK_HEALTH: self.check_health}

    async def get_capabilities(
        self, _request: pb.GetCapabilitiesRequest, _caller: Caller
    ) -> pb.GetCapabilitiesResponse:
        """Return what every store over a backend keeps."""
        return pb.GetCapabilitiesResponse(
            backend=self._backend.name,
            artifacts=True,
            trace_events=True,
            run_records=True,
            verification_reports=True,
            subagent_tasks=True,
            snapshots=True,
            checkpoints=True,
            revisions=True,
            request_ids=True,
            atomic_session_snapshots=True,
            aggregate_cas=True,
            append_only_event_log=True,
            lease_fencing=True,
            watch=True,
            reference_aware_artifact_gc=True,
        )

    async def check_health(self, _request: pb.CheckHealthRequest, _caller: Caller) -> pb.CheckHealthResponse:
        """Answer when the backend can read and write."""
        await self._backend.check_health()
        return pb.CheckHealthResponse()
