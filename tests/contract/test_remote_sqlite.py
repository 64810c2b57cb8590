"""The contract on the remote store, through a server of the SQLite store."""

from functools import partial

import pytest

from sessionstore import SqliteSessionStore
from sessionstore.testing import ConversationContract, DurabilityContract, RecordConversationContract, StoreContract


class TestRemoteSqliteStore(StoreContract, ConversationContract, RecordConversationContract):
    @pytest.fixture
    def open_once(self, open_served, tmp_path):
        return lambda: open_served(SqliteSessionStore(tmp_path / "store.db"))


class TestRemoteSqliteStoreAcrossProcesses(DurabilityContract):
    """Each reopening is a new server process on the same file."""

    @pytest.fixture
    def open_once(self, open_served_by_process, tmp_path):
        return partial(open_served_by_process, f"sqlite:{tmp_path / 'store.db'}")
