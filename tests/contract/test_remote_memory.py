"""The contract on the remote store, through a server of the memory store."""

import pytest

from sessionstore import MemorySessionStore
from sessionstore.testing import ConversationContract, RecordConversationContract, StoreContract


class TestRemoteMemoryStore(StoreContract, ConversationContract, RecordConversationContract):
    @pytest.fixture
    def open_once(self, open_served):
        return lambda: open_served(MemorySessionStore())


class TestRemoteMemoryStoreByPlainCalls(StoreContract, ConversationContract, RecordConversationContract):
    """Each call by itself, as against a server that does not know streams of many."""

    @pytest.fixture
    def open_once(self, open_served):
        return lambda: open_served(MemorySessionStore(), multiplex=False)
