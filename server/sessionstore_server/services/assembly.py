"""Puts the services over a backend together."""

from functools import partial

from sessionstore_server.backends.base import Backend
from sessionstore_server.services.handlers import HandlerTable, Services
from sessionstore_server.services.records.artifact import ArtifactService
from sessionstore_server.services.records.blob import BlobService
from sessionstore_server.services.records.checkpoint import loop_checkpoint_service, workflow_checkpoint_service
from sessionstore_server.services.records.lists import subagent_service, verification_service
from sessionstore_server.services.records.retention import UNLIMITED, Retention
from sessionstore_server.services.records.run import RunService
from sessionstore_server.services.records.trace import TraceService
from sessionstore_server.services.roads.multiplex import with_multiplex
from sessionstore_server.services.roads.transfer import with_transfer
from sessionstore_server.services.sessions.commit import CommitService
from sessionstore_server.services.sessions.history import HistoryService
from sessionstore_server.services.sessions.lease import LeaseService
from sessionstore_server.services.sessions.listing import ListingService
from sessionstore_server.services.sessions.session import SessionService
from sessionstore_server.services.sessions.snapshot import SnapshotService
from sessionstore_server.services.sessions.watch import WatchService
from sessionstore_server.services.system import SystemService
from sessionstore_server.services.turns import Turns

UNCOMMITTED_SECONDS = 24 * 3600.0
"""How long content is kept that was stored and never committed."""
DELETED_SECONDS = 7 * 24 * 3600.0
"""How long a deleted session is known to have been, so that late repeats of requests find it deleted."""


def services_over(backend: Backend, retention: Retention = UNLIMITED) -> Services:
    """Return all services, keeping their data in `backend`, and of runs as much as `retention` says."""
    turns = Turns()
    resources = (
        SessionService(backend, turns),
        ListingService(backend),
        CommitService(backend, turns, retention),
        HistoryService(backend),
        SnapshotService(backend, turns, retention),
        ArtifactService(backend, turns),
        BlobService(backend),
        RunService(backend, turns, retention),
        TraceService(backend, turns),
        verification_service(backend, turns),
        subagent_service(backend, turns),
        loop_checkpoint_service(backend),
        workflow_checkpoint_service(backend),
        LeaseService(backend),
        WatchService(backend),
        SystemService(backend),
    )
    handlers: HandlerTable = {
        method: handler for service in resources for method, handler in service.handlers().items()
    }
    return Services(
        backend.name, with_multiplex(with_transfer(handlers)), backend.open, backend.aclose, partial(_sweep, backend)
    )


async def _sweep(backend: Backend) -> None:
    await backend.sweep_blobs(UNCOMMITTED_SECONDS)
    await backend.sweep_deleted(DELETED_SECONDS)
