"""The contract for stores that do not keep everything: what they declare not to keep is skipped, with the reason."""

from collections.abc import Mapping, Sequence

import pytest
import pytest_asyncio

from sessionstore.store import SessionStore
from sessionstore.testing.appends import AppendContract
from sessionstore.testing.artifacts import ArtifactContract
from sessionstore.testing.checkpoints import CheckpointContract
from sessionstore.testing.commits import CommitContract
from sessionstore.testing.concurrency import RecordConcurrencyContract
from sessionstore.testing.contents import ContentContract
from sessionstore.testing.contract import StoreContract
from sessionstore.testing.errors import RecordErrorContract
from sessionstore.testing.fidelity import RecordFidelityContract
from sessionstore.testing.history import HistoryContract
from sessionstore.testing.isolation import RecordIsolationContract
from sessionstore.testing.kinds import RECORD_KINDS, RecordKind
from sessionstore.testing.leases import LeaseContract
from sessionstore.testing.mixes import MixContract
from sessionstore.testing.pairing import PairingContract
from sessionstore.testing.records import RecordContract
from sessionstore.testing.revisions import RevisionContract
from sessionstore.testing.run_records import RunRecordContract
from sessionstore.testing.snapshots import SnapshotContract
from sessionstore.testing.streams import EventPageContract, FollowContract
from sessionstore.testing.subagents import SubagentContract
from sessionstore.testing.trace_events import TraceEventContract
from sessionstore.testing.updates import UpdateContract
from sessionstore.testing.verification import VerificationContract
from sessionstore.testing.watching import WatchContract

_RECORDS = tuple(kind.name for kind in RECORD_KINDS)
_EVERYTHING = (*_RECORDS, "snapshots", "checkpoints", "revisions")

NEEDS: Mapping[type, Sequence[str]] = {
    RecordContract: _RECORDS,
    ArtifactContract: ("artifacts",),
    ContentContract: ("artifacts", "revisions"),
    TraceEventContract: ("trace_events",),
    RunRecordContract: ("run_records",),
    AppendContract: ("trace_events", "run_records", "append_only_event_log"),
    EventPageContract: ("trace_events", "run_records"),
    FollowContract: ("trace_events", "run_records"),
    VerificationContract: ("verification_reports",),
    SubagentContract: ("subagent_tasks",),
    SnapshotContract: (*_RECORDS, "snapshots"),
    CheckpointContract: ("checkpoints",),
    RevisionContract: _EVERYTHING,
    UpdateContract: ("revisions",),
    CommitContract: _EVERYTHING,
    PairingContract: _EVERYTHING,
    MixContract: _EVERYTHING,
    HistoryContract: _EVERYTHING,
    LeaseContract: (*_RECORDS, "snapshots", "revisions", "lease_fencing"),
    WatchContract: (*_RECORDS, "watch"),
    RecordIsolationContract: _EVERYTHING,
    RecordFidelityContract: _EVERYTHING,
    RecordErrorContract: _EVERYTHING,
    RecordConcurrencyContract: _EVERYTHING,
}
"""The capabilities without which a topic cannot be tried. A test of one kind of records needs that kind only."""


class DeclaredContract(StoreContract):
    """`StoreContract` for a store that says in `capabilities` what it does not keep; those promises are skipped."""

    @pytest_asyncio.fixture(autouse=True)
    async def _declared(self, request: pytest.FixtureRequest, store: SessionStore) -> None:
        capabilities = await store.capabilities()
        lacking = [name for name in _needs_of(request) if not getattr(capabilities, name)]
        if lacking:
            pytest.skip(f"the store {store.backend_name!r} declares that it does not offer {', '.join(lacking)}")


def topic_of(request: pytest.FixtureRequest) -> type:
    """Return the class of promises to which the running test belongs."""
    classes: Sequence[type] = request.cls.__mro__
    return next(topic for topic in classes if request.function.__name__ in vars(topic))


def _needs_of(request: pytest.FixtureRequest) -> Sequence[str]:
    needs = NEEDS.get(topic_of(request), ())
    parameters = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    if isinstance(kind := parameters.get("kind"), RecordKind):
        return [name for name in needs if name == kind.name or name not in _RECORDS]
    return needs
