"""The contract of session stores as tests that any store can join, and what helps to write more of them.

A store joins by subclassing `StoreContract` (or `RequiredContract`, if it has only the five required operations) in a
module of its own tests, with a fixture `store`. Needs the extra `testing`.
"""

# ruff: noqa: E402 - assertions are rewritten, so that they tell what differs, only in what is imported later
from pkgutil import iter_modules

import pytest

pytest.register_assert_rewrite(*(f"{__name__}.{module.name}" for module in iter_modules(__path__)))

from sessionstore.testing.appends import AppendContract
from sessionstore.testing.artifacts import ArtifactContract
from sessionstore.testing.capabilities import CapabilityContract
from sessionstore.testing.checkpoints import CheckpointContract
from sessionstore.testing.commits import CommitContract
from sessionstore.testing.comparison import assert_same
from sessionstore.testing.concurrency import RecordConcurrencyContract, SessionConcurrencyContract
from sessionstore.testing.contents import ContentContract
from sessionstore.testing.contract import RequiredContract, StoreContract
from sessionstore.testing.conversations import AnotherClient, ConversationContract, RecordConversationContract
from sessionstore.testing.custom import CustomStore
from sessionstore.testing.declared import DeclaredContract
from sessionstore.testing.durability import DurabilityContract, Reopen
from sessionstore.testing.editing import OpenClients, check_conversations
from sessionstore.testing.errors import RecordErrorContract, SessionErrorContract
from sessionstore.testing.fidelity import RecordFidelityContract, SessionFidelityContract
from sessionstore.testing.history import HistoryContract
from sessionstore.testing.ids import IdContract
from sessionstore.testing.isolation import RecordIsolationContract, SessionIsolationContract
from sessionstore.testing.leases import LeaseContract
from sessionstore.testing.listing import ListingContract
from sessionstore.testing.machine import check_against_memory
from sessionstore.testing.mixes import MixContract
from sessionstore.testing.pairing import PairingContract
from sessionstore.testing.recorded import load_recorded, read_recordings, snapshot_of
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

__all__ = [
    "AnotherClient",
    "AppendContract",
    "ArtifactContract",
    "CapabilityContract",
    "CheckpointContract",
    "CommitContract",
    "ContentContract",
    "ConversationContract",
    "CustomStore",
    "DeclaredContract",
    "DurabilityContract",
    "EventPageContract",
    "FollowContract",
    "HistoryContract",
    "IdContract",
    "LeaseContract",
    "ListingContract",
    "MixContract",
    "OpenClients",
    "PairingContract",
    "RecordConcurrencyContract",
    "RecordContract",
    "RecordConversationContract",
    "RecordErrorContract",
    "RecordFidelityContract",
    "RecordIsolationContract",
    "Reopen",
    "RequiredContract",
    "RevisionContract",
    "RunRecordContract",
    "SelectionContract",
    "SessionConcurrencyContract",
    "SessionContract",
    "SessionErrorContract",
    "SessionFidelityContract",
    "SessionIsolationContract",
    "SnapshotContract",
    "StoreContract",
    "SubagentContract",
    "TraceEventContract",
    "UpdateContract",
    "VerificationContract",
    "WatchContract",
    "assert_same",
    "check_against_memory",
    "check_conversations",
    "load_recorded",
    "read_recordings",
    "snapshot_of",
]
