"""The contract on the memory store."""

import pytest

from sessionstore import MemorySessionStore
from sessionstore.testing import ConversationContract, RecordConversationContract, StoreContract


class TestMemoryStore(StoreContract, ConversationContract, RecordConversationContract):
    @pytest.fixture
    def open_once(self):
        return MemorySessionStore
