"""The contract on a store with only the five required operations, in process and served."""

import pytest

from sessionstore.testing import ConversationContract, CustomStore, RequiredContract


class TestCustomStore(RequiredContract):
    @pytest.fixture
    def open_once(self):
        return CustomStore


class TestServedCustomStore(RequiredContract, ConversationContract):
    @pytest.fixture
    def open_once(self, open_served):
        return lambda: open_served(CustomStore())
