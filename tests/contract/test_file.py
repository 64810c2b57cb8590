"""The contract on the file store, which survives a reopen."""

from functools import partial

import pytest

from sessionstore import FileSessionStore
from sessionstore.testing import ConversationContract, DurabilityContract, RecordConversationContract, StoreContract


class TestFileStore(StoreContract, ConversationContract, RecordConversationContract, DurabilityContract):
    @pytest.fixture
    def open_once(self, tmp_path):
        return partial(FileSessionStore, tmp_path / "store")
