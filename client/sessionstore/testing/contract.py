"""The contract of a session store as one class: all topics joined."""

from sessionstore.testing.artifacts import ArtifactContract
from sessionstore.testing.capabilities import CapabilityContract
from sessionstore.testing.checkpoints import CheckpointContract
from sessionstore.testing.concurrency import RecordConcurrencyContract, SessionConcurrencyContract
from sessionstore.testing.errors import RecordErrorContract, SessionErrorContract
from sessionstore.testing.fidelity import RecordFidelityContract, SessionFidelityContract
from sessionstore.testing.ids import IdContract
from sessionstore.testing.isolation import RecordIsolationContract, SessionIsolationContract
from sessionstore.testing.listing import ListingContract
from sessionstore.testing.records import RecordContract
from sessionstore.testing.revisions import RevisionContract
from sessionstore.testing.run_records import RunRecordContract
from sessionstore.testing.sessions import SessionContract
from sessionstore.testing.snapshots import SnapshotContract
from sessionstore.testing.subagents import SubagentContract
from sessionstore.testing.trace_events import TraceEventContract
from sessionstore.testing.updates import UpdateContract
from sessionstore.testing.verification import VerificationContract


class RequiredContract(
    SessionContract,
    IdContract,
    ListingContract,
    SessionIsolationContract,
    SessionFidelityContract,
    SessionErrorContract,
    SessionConcurrencyContract,
    CapabilityContract,
):
    """What every store promises, also one of your own with only the five required operations.

    Subclass it and give a fixture `store` that yields a new, empty store for each test.
    """


class StoreContract(
    RequiredContract,
    RecordContract,
    ArtifactContract,
    TraceEventContract,
    RunRecordContract,
    VerificationContract,
    SubagentContract,
    SnapshotContract,
    CheckpointContract,
    RevisionContract,
    UpdateContract,
    RecordIsolationContract,
    RecordFidelityContract,
    RecordErrorContract,
    RecordConcurrencyContract,
):
    """What a store promises that keeps everything. One that survives a reopen also joins `DurabilityContract`."""
