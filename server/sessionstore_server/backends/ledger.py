"""The ledger of a key: its last requests with their answers, oldest first, so that a repeat changes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass

from sessionstore.errors import RequestIdReusedError
from sessionstore_server.backends.base import REQUESTS_KEPT, Commit, Request


@dataclass(frozen=True, slots=True)
class Answer:
    """How a request was answered."""

    digest: str
    """Of the request."""
    commit: Commit
    existed: bool | None = None
    """What a deletion found; None for any other commit."""


def past_commit(answers: Mapping[str, Answer], request: Request | None) -> Commit | None:
    """Return the answer to a commit that came before, or None when it is new. Errors: RequestIdReusedError."""
    answer = _past(answers, request, is_deletion=False)
    return answer.commit if answer else None


def past_deletion(answers: Mapping[str, Answer], request: Request | None) -> bool | None:
    """Return the answer to a deletion that came before, or None when it is new. Errors: RequestIdReusedError."""
    answer = _past(answers, request, is_deletion=True)
    return answer.existed if answer else None


def answer_to(request: Request | None, commit: Commit, existed: bool | None = None) -> dict[str, Answer]:
    """Return what the ledger has to remember, by the id of the request: nothing when there was none."""
    return {request.id: Answer(request.digest, commit, existed)} if request else {}


def remember(answers: dict[str, Answer], news: Mapping[str, Answer]) -> None:
    """Add newer answers to a ledger and drop the oldest beyond `REQUESTS_KEPT`."""
    answers.update(news)
    while len(answers) > REQUESTS_KEPT:
        del answers[next(iter(answers))]


def _past(answers: Mapping[str, Answer], request: Request | None, *, is_deletion: bool) -> Answer | None:
    answer = answers.get(request.id) if request else None
    if request is None or answer is None:
        return None
    if (answer.digest, answer.existed is not None) != (request.digest, is_deletion):
        raise RequestIdReusedError(request.id)
    return answer
