"""Puts the services over a backend together."""

from functools import partial

from sessionstore_server.backends.base import Backend
from sessionstore_server.services.artifact import ArtifactService
from sessionstore_server.services.checkpoint import loop_checkpoint_service, workflow_checkpoint_service
from sessionstore_server.services.handlers import HandlerTable, Services
from sessionstore_server.services.records import subagent_service, trace_service, verification_service
from sessionstore_server.services.run import RunService
from sessionstore_server.services.session import SessionService
from sessionstore_server.services.snapshot import SnapshotService
from sessionstore_server.services.system import SystemService

UNCOMMITTED_SECONDS = 24 * 3600.0
"""How long content is kept that was stored and never committed."""
DELETED_SECONDS = 7 * 24 * 3600.0
"""How long a deleted session is known to have been, so that late repeats of requests find it deleted."""


def services_over(backend: Backend) -> Services:
    """Return all services, keeping their data in `backend`."""
    resources = (
        SessionService(backend),
        SnapshotService(backend),
        ArtifactService(backend),
        RunService(backend),
        trace_service(backend),
        verification_service(backend),
        subagent_service(backend),
        loop_checkpoint_service(backend),
        workflow_checkpoint_service(backend),
        SystemService(backend),
    )
    handlers: HandlerTable = {
        method: handler for service in resources for method, handler in service.handlers().items()
    }
    return Services(backend.name, handlers, backend.open, backend.aclose, partial(_sweep, backend))


async def _sweep(backend: Backend) -> None:
    await backend.sweep_blobs(UNCOMMITTED_SECONDS)
    await backend.sweep_deleted(DELETED_SECONDS)
