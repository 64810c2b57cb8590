"""The contract of session stores as tests that any store can join, and what helps to write more of them.

A store joins by subclassing `StoreContract` (or `RequiredContract`, if it has only the five required operations) in a
module of its own tests, with a fixture `store`. Needs the extra `testing`.
"""

# ruff: noqa: E402 - assertions are rewritten, so that they tell what differs, only in what is imported later
from pkgutil import iter_modules

import pytest

pytest.register_assert_rewrite(*(f"{__name__}.{module.name}" for module in iter_modules(__path__)))

from sessionstore.testing.artifacts import ArtifactContract
from sessionstore.testing.capabilities import CapabilityContract
from sessionstore.testing.checkpoints import CheckpointContract
from sessionstore.testing.comparison import assert_same
from sessionstore.testing.concurrency import RecordConcurrencyContract, SessionConcurrencyContract
from sessionstore.testing.contract import RequiredContract, StoreContract
from sessionstore.testing.conversations import AnotherClient, ConversationContract, RecordConversationContract
from sessionstore.testing.custom import CustomStore
from sessionstore.testing.durability import DurabilityContract, Reopen
from sessionstore.testing.editing import OpenClients, check_conversations
from sessionstore.testing.errors import RecordErrorContract, SessionErrorContract
from sessionstore.testing.fidelity import RecordFidelityContract, SessionFidelityContract
from sessionstore.testing.ids import IdContract
from sessionstore.testing.isolation import RecordIsolationContract, SessionIsolationContract
from sessionstore.testing.listing import ListingContract
from sessionstore.testing.machine import check_against_memory
from sessionstore.testing.recorded import load_recorded, read_recordings, snapshot_of
from sessionstore.testing.records import RecordContract
from sessionstore.testing.revisions import RevisionContract
from sessionstore.testing.run_records import RunRecordContract
from sessionstore.testing.sessions import SessionContract
from sessionstore.testing.snapshots import SnapshotContract
from sessionstore.testing.subagents import SubagentContract
from sessionstore.testing.trace_events import TraceEventContract
from sessionstore.testing.updates import UpdateContract
from sessionstore.testing.verification import VerificationContract

__all__ = [
    "AnotherClient",
    "ArtifactContract",
    "CapabilityContract",
    "CheckpointContract",
    "ConversationContract",
    "CustomStore",
    "DurabilityContract",
    "IdContract",
    "ListingContract",
    "OpenClients",
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
    "assert_same",
    "check_against_memory",
    "check_conversations",
    "load_recorded",
    "read_recordings",
    "snapshot_of",
]
