"""The contract on the SQLite store, which survives a reopen."""

from functools import partial

import pytest

from sessionstore import SqliteSessionStore
from sessionstore.testing import ConversationContract, DurabilityContract, RecordConversationContract, StoreContract


class TestSqliteStore(StoreContract, ConversationContract, RecordConversationContract, DurabilityContract):
    @pytest.fixture
    def open_once(self, tmp_path):
        return partial(SqliteSessionStore, tmp_path / "store.db")
