"""The ledger of a key: an entry for each request that it remembers, by the revision that it made."""

from sessionstore_server.backends import ledger
from sessionstore_server.backends.base import Commit, Key, Request
from sessionstore_server.backends.keyvalue import layout, values
from sessionstore_server.backends.keyvalue.space import Space
from sessionstore_server.backends.keyvalue.transaction import Transaction
from sessionstore_server.backends.ledger import Answer

Answers = dict[str, Answer]


async def known(space: Space, key: Key, request: Request | None) -> Answers:
    """Return the ledger of a key, the oldest first, if there is a request to look for."""
    if request is None:
        return {}
    return dict([values.read_answer(text, key.id) async for _, text in space.below(layout.answers(key))])


def remember(
    transaction: Transaction,
    key: Key,
    answers: Answers,
    request: Request | None,
    commit: Commit,
    existed: bool | None = None,
) -> None:
    """Add the answer to a request to a ledger, which is as `known`, and drop the oldest if there are too many."""
    news = ledger.answer_to(request, commit, existed)
    for request_id, answer in news.items():
        transaction.put(layout.answer(key, commit.revision), values.write_answer(request_id, answer))
    kept = dict(answers)
    ledger.remember(kept, news)
    for request_id in answers.keys() - kept.keys():
        transaction.delete(layout.answer(key, answers[request_id].commit.revision))
