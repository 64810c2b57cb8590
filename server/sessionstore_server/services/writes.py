"""What every write has in common: the revision it depends on, and the request id that makes a repeat harmless."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from google.protobuf.message import Message

from sessionstore.errors import RevisionConflictError, StaleLeaseError
from sessionstore_server.backends.base import Backend, Change, Commit, Guard, GuardError, Key, Request
from sessionstore_server.backends.checks import check_part
from sessionstore_server.services.aside import aside
from sessionstore_server.services.keys import LEASE_EPOCH, LEASES
from sessionstore_server.services.responses import timestamp

R = TypeVar("R", bound=Message)

_NO_REVISION = (1 << 64) - 1
"""A revision that is never reached, so that a commit that expects it only finds a repeat."""


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

    `content` is a digest of what is written, when it is known already, or the request does not hold it all. The change
    is refused unless the key still is at `seen_revision`; None: the change holds whatever it meets.
    """
    identity_ = identity(request, content) if content else await aside(request.ByteSize(), identity, request)
    changed = replace(change, request=identity_, guard=lease_guard(key, request))
    expected = expected_revision(request) if seen_revision is None else seen_revision
    try:
        committed = await backend.commit(key, changed, expected)
    except GuardError as error:
        raise StaleLeaseError(id=key.id, epoch=request.lease_epoch) from error
    return response(revision=committed.revision, commit_time=timestamp(committed.commit_time))


async def past_answer(backend: Backend, key: Key, request: Any, response: Callable[..., R]) -> R | None:  # noqa: ANN401
    """Return what `request` was answered when it was carried out before, or None.

    For requests that are refused for what the key holds by now. Errors: RequestIdReusedError.
    """
    committed = await past_commit(backend, key, request)
    if committed is None:
        return None
    return response(revision=committed.revision, commit_time=timestamp(committed.commit_time))


async def past_commit(backend: Backend, key: Key, request: Any) -> Commit | None:  # noqa: ANN401 - any write
    """Return the commit that `request` was when it was carried out before, or None. Errors: RequestIdReusedError."""
    asked = identity(request)
    if asked is None:
        return None
    try:
        return await backend.commit(key, Change(request=asked), _NO_REVISION)
    except RevisionConflictError:
        return None


async def delete(backend: Backend, key: Key, request: Any) -> bool:  # noqa: ANN401 - any request to delete
    """Remove `key` as `request` asks for it; tell whether there was anything."""
    try:
        return await backend.delete(key, expected_revision(request), identity(request), lease_guard(key, request))
    except GuardError as error:
        raise StaleLeaseError(id=key.id, epoch=request.lease_epoch) from error


def lease_guard(key: Key, request: Any) -> Guard | None:  # noqa: ANN401 - any write
    """Return what holds while the lease under which a session is written is not over; None: it does not matter."""
    if "lease_epoch" not in request.DESCRIPTOR.fields_by_name or not request.HasField("lease_epoch"):
        return None
    return Guard(replace(key, collection=LEASES), LEASE_EPOCH, epoch_record(request.lease_epoch))


def epoch_record(epoch: int) -> bytes:
    """Return what the document of an epoch holds."""
    return b"%d" % epoch


def expected_revision(request: Any) -> int | None:  # noqa: ANN401 - any write
    """Return the revision on which a write depends, or None."""
    return request.expected_revision if request.HasField("expected_revision") else None


def identity(request: Any, content: str | None = None) -> Request | None:  # noqa: ANN401 - any write
    """Return the request id with a digest of all that is asked for, or None. Errors: InvalidArgumentError."""
    if not request.request_id:
        return None
    check_part("request_id", request.request_id)
    return Request(request.request_id, content or digest_of(asked_for(request)))


def asked_for(request: Message) -> bytes:
    """Return all that a request asks for."""
    # Requests of different methods may have the same bytes.
    return request.DESCRIPTOR.full_name.encode() + request.SerializeToString(deterministic=True)


def digest_of(asked: bytes) -> str:
    """Return the digest by which a repeat is known."""
    return hashlib.sha256(asked).hexdigest()
