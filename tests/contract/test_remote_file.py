"""The contract on the remote store, through a server of the file store."""

from functools import partial

import pytest

from sessionstore import FileSessionStore
from sessionstore.testing import ConversationContract, DurabilityContract, RecordConversationContract, StoreContract


class TestRemoteFileStore(StoreContract, ConversationContract, RecordConversationContract):
    @pytest.fixture
    def open_once(self, open_served, tmp_path):
        return lambda: open_served(FileSessionStore(tmp_path / "store"))


class TestRemoteFileStoreAcrossProcesses(DurabilityContract):
    """Each reopening is a new server process on the same folder."""

    @pytest.fixture
    def open_once(self, open_served_by_process, tmp_path):
        return partial(open_served_by_process, f"file:{tmp_path / 'store'}")
