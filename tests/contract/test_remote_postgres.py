"""The contract on the remote store, through a server of the PostgreSQL store."""

from functools import partial

import pytest

from sessionstore import PostgresSessionStore
from sessionstore.testing import ConversationContract, DurabilityContract, RecordConversationContract, StoreContract


class TestRemotePostgresStore(StoreContract, ConversationContract, RecordConversationContract):
    @pytest.fixture
    def open_once(self, open_served, postgres_dsn):
        dsn = postgres_dsn()
        return lambda: open_served(PostgresSessionStore(dsn))


class TestRemotePostgresStoreAcrossProcesses(DurabilityContract):
    """Each reopening is a new server process on the same database."""

    @pytest.fixture
    def open_once(self, open_served_by_process, postgres_dsn):
        return partial(open_served_by_process, postgres_dsn())
