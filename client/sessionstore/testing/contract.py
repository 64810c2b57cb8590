"""The contract of a session store as one class: all topics joined."""

from sessionstore.testing.appends import AppendContract
from sessionstore.testing.artifacts import ArtifactContract
from sessionstore.testing.capabilities import CapabilityContract
from sessionstore.testing.checkpoints import CheckpointContract
from sessionstore.testing.commits import CommitContract
from sessionstore.testing.concurrency import RecordConcurrencyContract, SessionConcurrencyContract
from sessionstore.testing.contents import ContentContract
from sessionstore.testing.errors import RecordErrorContract, SessionErrorContract
from sessionstore.testing.fidelity import RecordFidelityContract, SessionFidelityContract
from sessionstore.testing.history import HistoryContract
from sessionstore.testing.ids import IdContract
from sessionstore.testing.isolation import RecordIsolationContract, SessionIsolationContract
from sessionstore.testing.leases import LeaseContract
from sessionstore.testing.listing import ListingContract
from sessionstore.testing.mixes import MixContract
from sessionstore.testing.pairing import PairingContract
from sessionstore.testing.records import RecordContract
from sessionstore.testing.revisions import RevisionContract
from sessionstore.testing.run_records import RunRecordContract
from sessionstore.testing.selection import SelectionContract
from sessionstore.testing.sessions import SessionContract
from sessionstore.testing.snapshots import SnapshotContract
from sessionstore.testing.streams import EventPageContract, FollowContract
from sessionstore.testing.subagents import SubagentContract
from sessionstore.testing.trace_events import TraceEventContract
from sessionstore.testing.updates import UpdateContract
from sessionstore.testing.verification import VerificationContract
from sessionstore.testing.watching import WatchContract


class RequiredContract(
    SessionContract,
    IdContract,
    ListingContract,
    SelectionContract,
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
    ContentContract,
    TraceEventContract,
    RunRecordContract,
    AppendContract,
    EventPageContract,
    FollowContract,
    VerificationContract,
    SubagentContract,
    SnapshotContract,
    CheckpointContract,
    RevisionContract,
    UpdateContract,
    CommitContract,
    PairingContract,
    MixContract,
    HistoryContract,
    LeaseContract,
    WatchContract,
    RecordIsolationContract,
    RecordFidelityContract,
    RecordErrorContract,
    RecordConcurrencyContract,
):
    """What a store promises that keeps everything. One that survives a reopen also joins `DurabilityContract`."""
