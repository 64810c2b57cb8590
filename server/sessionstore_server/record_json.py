"""Stored records as JSON that people can read: what the file backend writes.

A record of the domain becomes the JSON of its model. Should the model not give the same bytes back, because a newer
program wrote fields that this one does not know, the bytes are kept beside the JSON and count.
"""

import base64
import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message

from sessionstore.errors import InvalidArgumentError
from sessionstore.v1 import lease_pb2, session_pb2, snapshot_pb2, storage_pb2
from sessionstore.wire import records
from sessionstore.wire.codec import Codec
from sessionstore_server.services import keys

_BYTES = "@protobuf"
"""The key of the bytes that stand beside, or instead of, the JSON of a record."""
_MARK = _BYTES.encode()
"""In every text that may have that key."""


class _Form(NamedTuple):
    """How the records of one name become JSON text, and come back."""

    write: Callable[[bytes], tuple[bytes, bytes]]
    """Return the text, and as much of the record as it holds."""
    read: Callable[[bytes], bytes]


class RecordJson:
    """The codec of the file backend for the records of this domain."""

    def to_json(self, collection: str, name: str, record: bytes) -> bytes:
        """Return the record as one compact JSON object."""
        form = _form(collection, name)
        try:
            text, held = form.write(record) if form else (b"{}", None)
        except (InvalidArgumentError, DecodeError):
            text, held = b"{}", None
        if held == record and _MARK not in text:
            return text
        readable = {**json.loads(text), _BYTES: base64.b64encode(record).decode()}
        return json.dumps(readable, ensure_ascii=False, separators=(",", ":")).encode()

    def from_json(self, collection: str, name: str, text: bytes) -> bytes:
        """Return the record. Errors: ValueError when the text does not hold one."""
        if _MARK in text and isinstance(encoded := json.loads(text).get(_BYTES), str):
            return base64.b64decode(encoded, validate=True)
        form = _form(collection, name)
        if form is None:
            raise ValueError(f"{name} holds no record")
        try:
            return form.read(text)
        except InvalidArgumentError as error:
            raise ValueError(str(error)) from error


def _model_form(codec: Codec[Any, Any]) -> _Form:
    # Taken from the class, because a message that is asked for a method looks for a field of that name first.
    kind = codec.message_class
    parse, discard_unknown, serialize = kind.FromString, kind.DiscardUnknownFields, kind.SerializeToString

    def write(record: bytes) -> tuple[bytes, bytes]:
        message = parse(record)
        if text := codec.json_of(message):
            discard_unknown(message)
            return text, serialize(message)
        value = codec.from_proto(message)
        # Whatever a model holds comes back from its JSON.
        return codec.to_json(value), codec.to_proto(value).SerializeToString()

    return _Form(write, read=lambda text: codec.to_proto(codec.from_json(text)).SerializeToString())


def _message_form(message_class: type[Message]) -> _Form:
    def write(record: bytes) -> tuple[bytes, bytes]:
        message = message_class.FromString(record)
        message.DiscardUnknownFields()
        text = json_format.MessageToJson(message, preserving_proto_field_name=True, indent=None)
        return text.encode(), message.SerializeToString()

    def read(text: bytes) -> bytes:
        try:
            return json_format.Parse(text, message_class(), ignore_unknown_fields=True).SerializeToString()
        except json_format.ParseError as error:
            raise ValueError(str(error)) from error

    return _Form(write, read)


def _read_epoch(text: bytes) -> bytes:
    match json.loads(text):
        case {"epoch": int(epoch)}:
            return b"%d" % epoch
    raise ValueError("`epoch` is not a whole number")


_EPOCH = _Form(write=lambda record: (b'{"epoch":%d}' % int(record), b"%d" % int(record)), read=_read_epoch)

_SESSION_FORMS = {
    keys.SESSION: _model_form(records.SESSION),
    keys.MESSAGES: _model_form(records.MESSAGE),
    keys.TRACES: _model_form(records.TRACE_EVENT),
    keys.VERIFICATION: _model_form(records.VERIFICATION_REPORT),
    keys.SUBAGENT_TASKS: _model_form(records.SUBAGENT_TASK),
    keys.ARTIFACTS: _message_form(storage_pb2.StoredArtifacts),
    keys.RUNS: _message_form(storage_pb2.StoredRuns),
    keys.SNAPSHOT: _message_form(snapshot_pb2.SnapshotHeader),
    keys.SUMMARY: _message_form(session_pb2.SessionSummary),
}
_FORMS = {
    keys.SESSIONS: _SESSION_FORMS,
    keys.LOOP_CHECKPOINTS: {keys.CHECKPOINT: _model_form(records.LOOP_CHECKPOINT)},
    keys.WORKFLOW_CHECKPOINTS: {keys.CHECKPOINT: _model_form(records.WORKFLOW_CHECKPOINT)},
    keys.LEASES: {
        keys.LEASE: _message_form(lease_pb2.Lease),
        keys.LEASE_EPOCH: _EPOCH,
        keys.SUMMARY: _message_form(lease_pb2.Lease),
    },
}
_APPEND = _message_form(storage_pb2.StoredAppend)
_RUN_RECORD = _model_form(records.RUN_RECORD)
_RUN_EXTENT = _message_form(storage_pb2.StoredRunExtent)
_RUN_EVENT = _model_form(records.RUN_EVENT)


@lru_cache(maxsize=1024)
def _form(collection: str, name: str) -> _Form | None:
    if form := _FORMS.get(collection, {}).get(name):
        return form
    if name.startswith(keys.APPEND_PREFIX):
        return _APPEND
    if keys.is_run_extent(name):
        return _RUN_EXTENT
    if keys.is_run_record(name):
        return _RUN_RECORD
    return _RUN_EVENT if keys.is_run_events(name) else None
