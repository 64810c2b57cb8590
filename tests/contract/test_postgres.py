"""The contract on the PostgreSQL store, which survives a reopen."""

from functools import partial

import pytest

from sessionstore import PostgresSessionStore
from sessionstore.testing import ConversationContract, DurabilityContract, RecordConversationContract, StoreContract


class TestPostgresStore(StoreContract, ConversationContract, RecordConversationContract, DurabilityContract):
    @pytest.fixture
    def open_once(self, postgres_dsn):
        return partial(PostgresSessionStore, postgres_dsn())
