"""What every write has in common: the revision it depends on, and the request id that makes a repeat harmless."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from google.protobuf.message import Message

from sessionstore_server.backends.base import Backend, Change, Key, Request
from sessionstore_server.backends.checks import check_part
from sessionstore_server.services.responses import timestamp

R = TypeVar("R", bound=Message)


async def commit(
    backend: Backend,
    key: Key,
    change: Change,
    request: Any,  # noqa: ANN401 - any write
    response: Callable[..., R],
    content: str | None = None,
    seen_revision: int | None = None,
) -> R:
    """Commit `change` as `request` asks for it, and return the response that tells the revision.

    `content` is a digest of what is written, when the request itself does not hold it all. The change is refused unless
    the key still is at `seen_revision`; None: the change holds whatever it meets.
    """
    changed = replace(change, request=identity(request, content))
    expected = expected_revision(request) if seen_revision is None else seen_revision
    committed = await backend.commit(key, changed, expected)
    return response(revision=committed.revision, commit_time=timestamp(committed.commit_time))


async def delete(backend: Backend, key: Key, request: Any) -> bool:  # noqa: ANN401 - any request to delete
    """Remove `key` as `request` asks for it; tell whether there was anything."""
    return await backend.delete(key, expected_revision(request), identity(request))


def expected_revision(request: Any) -> int | None:  # noqa: ANN401 - any write
    """Return the revision on which a write depends, or None."""
    return request.expected_revision if request.HasField("expected_revision") else None


def identity(request: Any, content: str | None = None) -> Request | None:  # noqa: ANN401 - any write
    """Return the request id with a digest of all that is asked for, or None. Errors: InvalidArgumentError."""
    if not request.request_id:
        return None
    check_part("request_id", request.request_id)
    # Requests of different methods may have the same bytes.
    asked = request.DESCRIPTOR.full_name.encode() + request.SerializeToString(deterministic=True)
    return Request(request.request_id, content or hashlib.sha256(asked).hexdigest())
