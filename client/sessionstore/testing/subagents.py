"""What a store promises about subagent tasks beyond what holds for records of any kind."""

import pytest

from sessionstore.store import SessionStore
from sessionstore.testing import samples
from sessionstore.testing.comparison import assert_same


class SubagentContract:
    """Tasks are kept, not followed."""

    pytestmark = pytest.mark.asyncio

    async def test_tasks_keep_their_order(self, store: SessionStore) -> None:
        """U1: Tasks load in the order they were saved, also when they began in another one or share an id."""
        finished, orphan = samples.subagent_tasks("a")
        await store.save_subagent_tasks("a", [finished, orphan, finished])
        assert_same(await store.load_subagent_tasks("a"), [finished, orphan, finished])

    async def test_any_parent_is_kept(self, store: SessionStore) -> None:
        """U2: The parent of a task is kept as it is: empty in old data, or another session."""
        tasks = samples.subagent_tasks("elsewhere")
        await store.save_subagent_tasks("a", tasks)
        assert_same(await store.load_subagent_tasks("a"), tasks)
