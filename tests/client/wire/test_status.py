"""Errors travel over RPC with all their facts, and come out as they were."""

from dataclasses import fields

import pytest
from google.protobuf.any_pb2 import Any
from google.rpc import code_pb2, error_details_pb2, status_pb2

from sessionstore import errors
from sessionstore.errors import (
    InvalidArgumentError,
    MissingDependencyError,
    RevisionConflictError,
    SessionStoreError,
    UnknownSchemeError,
)
from sessionstore.wire.status import DOMAIN, from_status, from_trailer, has_status, to_status

STAY_LOCAL = {SessionStoreError, UnknownSchemeError, MissingDependencyError}
"""The base, and what is raised before there is a store to call."""
TRAVEL = [cls for name in errors.__all__ if (cls := getattr(errors, name)) not in STAY_LOCAL]


def example(error: type[SessionStoreError]) -> SessionStoreError:
    """Make an error whose facts are hard to carry: large numbers, and text beyond ASCII."""
    return error(
        **{
            field.name: 2**63 + number if field.type in (int, "int") else f"{field.name} “zoë” 🧐\n"
            for number, field in enumerate(fields(error))
        }
    )


def test_every_error_of_the_module_is_public() -> None:
    defined = {value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)}
    assert defined == {getattr(errors, name) for name in errors.__all__}


@pytest.mark.parametrize("error", TRAVEL)
def test_an_error_comes_back_with_all_its_facts(error: type[SessionStoreError]) -> None:
    sent = example(error)
    received = from_trailer(to_status(sent).SerializeToString())
    assert received == sent
    assert str(received) == str(sent)


@pytest.mark.parametrize("error", TRAVEL)
def test_a_reason_stands_for_one_error(error: type[SessionStoreError]) -> None:
    """Clients in other languages tell errors apart by it, so the class names follow from it."""
    info = error_details_pb2.ErrorInfo()
    assert has_status(example(error))
    status = to_status(example(error))
    assert status.code != code_pb2.OK
    assert status.details[0].Unpack(info)
    assert info.domain == "sessionstore.v1"
    assert f"{info.reason.title().replace('_', '')}Error" == error.__name__
    assert set(info.metadata) == {field.name for field in fields(error)}


def test_a_subclass_travels_as_its_base() -> None:
    """A custom store may raise an error of its own below one of ours."""

    class LockedError(InvalidArgumentError):
        """An error of another package."""

    assert from_status(to_status(LockedError("id", "is locked"))) == InvalidArgumentError("id", "is locked")


@pytest.mark.parametrize(
    "error", [UnknownSchemeError("x", "y"), MissingDependencyError("x", "y"), SessionStoreError(), KeyError("x")]
)
def test_what_stays_local_has_no_status(error: SessionStoreError) -> None:
    assert not has_status(error)


@pytest.mark.parametrize(
    "info",
    [
        error_details_pb2.ErrorInfo(reason="REVISION_CONFLICT", domain="example.com", metadata={"id": "x"}),
        error_details_pb2.ErrorInfo(reason="OF_LATER", domain=DOMAIN),
        error_details_pb2.ErrorInfo(reason="REVISION_CONFLICT", domain=DOMAIN, metadata={"id": "x"}),
        error_details_pb2.ErrorInfo(
            reason="REVISION_CONFLICT",
            domain=DOMAIN,
            metadata={"id": "x", "expected_revision": "one", "actual_revision": "2"},
        ),
    ],
    ids=["other domain", "other reason", "facts missing", "no number"],
)
def test_what_is_not_ours_is_left_to_the_status_code(info: error_details_pb2.ErrorInfo) -> None:
    status = status_pb2.Status(code=code_pb2.ABORTED)
    status.details.add().Pack(info)
    assert from_status(status) is None


def test_facts_that_came_later_are_ignored() -> None:
    status = to_status(RevisionConflictError("x", 1, 2))
    info = error_details_pb2.ErrorInfo()
    status.details[0].Unpack(info)
    info.metadata["holder"] = "somebody"
    later = Any()
    later.Pack(info)
    status.details[0].CopyFrom(later)
    assert from_status(status) == RevisionConflictError("x", 1, 2)


@pytest.mark.parametrize("details", [b"\xff", b"\x0a", b"none"])
def test_bytes_that_are_no_status_are_ignored(details: bytes) -> None:
    assert from_trailer(details) is None
