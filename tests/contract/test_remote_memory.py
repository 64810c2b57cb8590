"""The contract on the remote store, through a server of the memory store."""

import pytest

from sessionstore import MemorySessionStore
from sessionstore.testing import StoreContract


class TestRemoteMemoryStore(StoreContract):
    @pytest.fixture
    def open_once(self, open_served):
        return lambda: open_served(MemorySessionStore())
