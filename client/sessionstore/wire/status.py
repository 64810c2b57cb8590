"""The one table between errors and gRPC statuses, read in both directions.

The reason and the facts of an error travel as `google.rpc.ErrorInfo` inside `google.rpc.Status`, the message as the
status message. What comes without them (a proxy, an older server) is told apart by its status code alone.
"""

from dataclasses import fields
from typing import NamedTuple, TypeGuard

from google.protobuf.message import DecodeError
from google.rpc import code_pb2, error_details_pb2, status_pb2

from sessionstore import errors

DOMAIN = "sessionstore.v1"
"""The `domain` of every ErrorInfo of this service."""
DETAILS_KEY = "grpc-status-details-bin"
"""The trailing metadata key under which gRPC carries a serialized `google.rpc.Status`."""


MAX_TEXT_CHARACTERS = 1000
"""A longer message or fact is cut: all metadata of an answer has to stay below 8 KiB."""


class _Row(NamedTuple):
    error: type[errors.SessionStoreError]
    code: int
    reason: str


_TABLE = (
    _Row(errors.InvalidArgumentError, code_pb2.INVALID_ARGUMENT, "INVALID_ARGUMENT"),
    _Row(errors.RevisionConflictError, code_pb2.ABORTED, "REVISION_CONFLICT"),
    _Row(errors.StaleBaseError, code_pb2.FAILED_PRECONDITION, "STALE_BASE"),
    _Row(errors.RequestIdReusedError, code_pb2.INVALID_ARGUMENT, "REQUEST_ID_REUSED"),
    _Row(errors.RevisionNotKeptError, code_pb2.OUT_OF_RANGE, "REVISION_NOT_KEPT"),
    _Row(errors.PositionExpiredError, code_pb2.OUT_OF_RANGE, "POSITION_EXPIRED"),
    _Row(errors.LeaseHeldError, code_pb2.FAILED_PRECONDITION, "LEASE_HELD"),
    _Row(errors.StaleLeaseError, code_pb2.FAILED_PRECONDITION, "STALE_LEASE"),
    _Row(errors.UnsupportedVersionError, code_pb2.FAILED_PRECONDITION, "UNSUPPORTED_VERSION"),
    _Row(errors.UnsupportedOperationError, code_pb2.UNIMPLEMENTED, "UNSUPPORTED_OPERATION"),
    _Row(errors.PayloadTooLargeError, code_pb2.RESOURCE_EXHAUSTED, "PAYLOAD_TOO_LARGE"),
    _Row(errors.DataCorruptionError, code_pb2.DATA_LOSS, "DATA_CORRUPTION"),
    _Row(errors.StorageError, code_pb2.INTERNAL, "STORAGE"),
    _Row(errors.StoreUnavailableError, code_pb2.UNAVAILABLE, "STORE_UNAVAILABLE"),
    _Row(errors.DeadlineExceededError, code_pb2.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED"),
    _Row(errors.StoreClosedError, code_pb2.UNAVAILABLE, "STORE_CLOSED"),
    _Row(errors.InternalError, code_pb2.INTERNAL, "INTERNAL"),
)
_BY_ERROR = {row.error: row for row in _TABLE}
_BY_REASON = {row.reason: row for row in _TABLE}


def has_status(error: Exception) -> TypeGuard[errors.SessionStoreError]:
    """Tell whether the table has a row for `error`, or for a class from which its class derives."""
    return isinstance(error, tuple(_BY_ERROR))


def to_status(error: errors.SessionStoreError) -> status_pb2.Status:
    """Return the status that carries `error`, which must have one, with all its facts."""
    row = next(_BY_ERROR[kind] for kind in type(error).__mro__ if kind in _BY_ERROR)
    status = status_pb2.Status(code=row.code, message=_shortened(str(error)))
    facts = {name: _shortened(str(value)) for name, value in error.facts().items()}
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=row.reason, domain=DOMAIN, metadata=facts))
    return status


def from_status(status: status_pb2.Status) -> errors.SessionStoreError | None:
    """Return the error that `to_status` packed, or None when this status holds none."""
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        if detail.Unpack(info) and info.domain == DOMAIN and info.reason in _BY_REASON:
            return _rebuild(_BY_REASON[info.reason].error, dict(info.metadata))
    return None


def from_trailer(details: bytes) -> errors.SessionStoreError | None:
    """Return the error in the trailing metadata value of `DETAILS_KEY`, or None."""
    try:
        return from_status(status_pb2.Status.FromString(details))
    except DecodeError:
        return None


def _shortened(text: str) -> str:
    if len(text) <= MAX_TEXT_CHARACTERS:
        return text
    return f"{text[:MAX_TEXT_CHARACTERS]}… ({len(text)} characters)"


def _rebuild(error: type[errors.SessionStoreError], facts: dict[str, str]) -> errors.SessionStoreError | None:
    try:
        return error(
            **{
                field.name: int(facts[field.name]) if field.type is int else facts[field.name]
                for field in fields(error)  # type: ignore[arg-type]
            }
        )
    except (KeyError, ValueError):
        return None
