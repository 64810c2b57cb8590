"""The contract on the memory store."""

import pytest

from sessionstore import MemorySessionStore
from sessionstore.testing import StoreContract


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def open_once(self):
        return MemorySessionStore
