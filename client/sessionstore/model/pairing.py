"""What must hold between the tool calls and the tool results of a conversation, and between the events of a run."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from sessionstore.model.message import ContentBlock, Message, ToolResultBlock, ToolUseBlock
from sessionstore.model.rule import require
from sessionstore.model.run import RunEventRecord


def check_pairing(messages: Sequence[Message]) -> None:
    """Check that each tool result follows a call of its id that has no other result.

    Calls need no result, and an id may come again, as it does with providers that count the calls of each turn.
    Errors: InvalidArgumentError with the path of the result, such as `messages[12].content[1].tool_use_id`.
    """
    open_calls = Counter[str]()
    for path, block in _blocks(messages):
        if isinstance(block, ToolUseBlock):
            open_calls[block.id] += 1
        elif isinstance(block, ToolResultBlock):
            call_id = block.tool_use_id
            problem = f"no call {call_id!r} before it is without a result: send the call first, and one result for it"
            require(open_calls[call_id] > 0, f"{path}.tool_use_id", problem)
            open_calls[call_id] -= 1


def check_rising_sequences(events: Sequence[RunEventRecord], path: str) -> None:
    """Check that the sequences of the events at `path` grow. Errors: InvalidArgumentError with the path of one."""
    for position, (earlier, later) in enumerate(pairwise(events), start=1):
        rising = earlier.sequence < later.sequence
        require(rising, f"{path}[{position}].sequence", "must be greater than that of the event before")


def _blocks(messages: Sequence[Message]) -> Iterator[tuple[str, ContentBlock]]:
    for number, message in enumerate(messages):
        for position, block in enumerate(message.content):
            yield f"messages[{number}].content[{position}]", block
