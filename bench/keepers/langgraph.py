"""LangGraph's SQLite saver: the saver by itself, and a graph that saves with it."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph, add_messages
from typing_extensions import override

from bench.keepers.base import Conversation, Keeper
from sessionstore import Message


class SaverKeeper(Keeper):
    """Puts a checkpoint for each turn."""

    setting = "messages and state are channels; its WAL, synchronous FULL"

    def __init__(self, name: str, folder: Path, *others: Any) -> None:
        super().__init__(name, *others)
        connection = sqlite3.connect(folder / "checkpoints.db", check_same_thread=False)
        self._saver = SqliteSaver(connection)
        self._saver.setup()
        connection.execute("PRAGMA synchronous=FULL")
        self._state = self.recorded.state.model_dump(mode="json")

    @override
    def converted(self, message: Message) -> Any:
        make = HumanMessage if message.role == "user" else AIMessage
        return make(content=message.model_dump_json())

    @override
    async def begin(self, conversation: Conversation) -> None:
        conversation.data = {"messages": self.messages(0, conversation.length), "state": dict(self._state)}
        self._put(conversation)

    @override
    async def append(self, conversation: Conversation, messages: Sequence[Any]) -> None:
        conversation.data["messages"].extend(messages)
        conversation.data["state"]["updated_at"] += 1
        self._put(conversation)

    @override
    async def load(self, conversation: Conversation) -> int:
        found = self._saver.get_tuple(_config(conversation))
        return len(found.checkpoint["channel_values"]["messages"]) if found else 0

    @override
    async def aclose(self) -> None:
        self._saver.conn.close()

    def _put(self, conversation: Conversation) -> None:
        checkpoint = {**empty_checkpoint(), "channel_values": conversation.data}
        self._saver.put(_config(conversation), checkpoint, {"source": "loop", "step": 1, "parents": {}}, {})


class _State(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]
    state: dict[str, Any]


class GraphKeeper(SaverKeeper):
    """Runs a graph of one node for each turn: one message goes in, the node answers with the others and the state."""

    setting = f"{SaverKeeper.setting}; default durability"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        builder = StateGraph(_State)
        builder.add_node("agent", self._answer)
        builder.add_edge(START, "agent")
        builder.add_edge("agent", END)
        self._graph = builder.compile(checkpointer=self._saver)
        self._next: _State = {"messages": [], "state": {}}

    @override
    async def begin(self, conversation: Conversation) -> None:
        conversation.data = 0
        self._run(conversation, self.messages(0, conversation.length))

    @override
    async def append(self, conversation: Conversation, messages: Sequence[Any]) -> None:
        conversation.data += 1
        self._run(conversation, messages)

    def _run(self, conversation: Conversation, messages: Sequence[Any]) -> None:
        # The reducer tells messages apart by ids, which it gives to those that have none.
        fresh = [message.model_copy() for message in messages]
        state = {**self._state, "updated_at": self._state["updated_at"] + conversation.data}
        self._next = {"messages": fresh[1:], "state": state}
        self._graph.invoke({"messages": fresh[:1]}, _config(conversation))

    def _answer(self, _: _State) -> _State:
        return self._next


def _config(conversation: Conversation) -> Any:
    return {"configurable": {"thread_id": conversation.id, "checkpoint_ns": ""}}
