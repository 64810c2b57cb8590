"""Every message that has a model converts both ways with every field set; what has no partner is refused.

The messages are made from nothing but their descriptors, so a field that is added to the protos is tested at once.
"""

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, OneofDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import BaseModel

import sessionstore
from sessionstore import model, v1
from sessionstore.model.event import KNOWN_EVENT_TYPES
from sessionstore.v1 import run_pb2
from sessionstore.wire.codec import Codec

APART = {"SessionData": ("messages",)}
"""Fields that travel beside the message."""
RUNS = Path(__file__).parents[1] / "model" / "documents" / "runs.json"
"""A run with an event of every type, so also with all kinds of evidence."""

OPEN_JSON = '{"deep":[1,9007199254740993,null,"é"]}'
UNKNOWN_JSON = '{"later":{"number":18446744073709551615}}'
DECIMAL = str(2**128 - 1)
_DECIMAL_FIELDS = {"sessionstore.v1.ContentStamp.modified"}
_EVIDENCE = {
    f"sessionstore.v1.{type(record.event).__name__}.snapshot_json": record.event.snapshot.model_dump_json()
    for run in model.validate_json_list(model.RunRecord, RUNS.read_bytes())
    for record in run.events
    if "snapshot" in type(record.event).model_fields
}
_VALUES = {
    FieldDescriptor.TYPE_STRING: "text",
    FieldDescriptor.TYPE_BOOL: True,
    FieldDescriptor.TYPE_UINT64: 2**64 - 1,
    FieldDescriptor.TYPE_INT64: -(2**63),
    FieldDescriptor.TYPE_UINT32: 255,
    FieldDescriptor.TYPE_INT32: -(2**31),
    FieldDescriptor.TYPE_FLOAT: 0.8,
    FieldDescriptor.TYPE_DOUBLE: 0.1,
}

FILES = [
    importlib.import_module(f"sessionstore.v1.{module.name}").DESCRIPTOR
    for module in pkgutil.iter_modules(v1.__path__)
    if module.name.endswith("_pb2")
]
MESSAGES = [message for file in FILES for message in file.message_types_by_name.values()]
UNSPECIFIED = {sessionstore.SessionOrder.ID}
"""Members for which a message has nothing."""
ENUMS = [enum for file in FILES for enum in file.enum_types_by_name.values()]
MODELLED = [message for message in MESSAGES if isinstance(getattr(model, message.name, None), type)]
UNIONS = [message for message in MESSAGES if hasattr(model, message.name) and message not in MODELLED]


def codec_of(descriptor: Descriptor) -> Codec[BaseModel, Message]:
    return Codec(getattr(model, descriptor.name), GetMessageClass(descriptor), APART.get(descriptor.name, ()))


@pytest.mark.parametrize("descriptor", MODELLED, ids=lambda descriptor: descriptor.name)
def test_every_field_goes_both_ways(descriptor: Descriptor) -> None:
    codec = codec_of(descriptor)
    apart = dict.fromkeys(APART.get(descriptor.name, ()), ())
    for message in filled_messages(descriptor):
        made = codec.from_proto(message, **apart)
        assert codec.to_proto(made) == message
        kept = [name for name, field in type(made).model_fields.items() if not field.exclude]
        assert None not in [getattr(made, name) for name in kept]


def test_all_structures_are_among_them() -> None:
    """All of the domain is reached from these: the records that are kept or sent by themselves."""
    assert len(MODELLED) > 100
    assert {union.name for union in UNIONS} == {"ContentBlock", "ToolResultContent", "AgentEvent", "ToolErrorKind"}
    top = {"SessionData", "Message", "TraceEvent", "RunRecord", "VerificationReport", "ToolArtifact"}
    top |= {"SubagentTaskSnapshot", "LoopCheckpoint", "WorkflowCheckpoint", "SessionSummary"}
    assert top <= {message.name for message in MODELLED}


@pytest.mark.parametrize("enum", ENUMS, ids=lambda enum: enum.name)
def test_every_enum_has_the_members_of_its_model(enum: EnumDescriptor) -> None:
    zero, *members = enum.values
    prefix = zero.name.removesuffix("UNSPECIFIED")
    known = [member for member in getattr(sessionstore, enum.name) if member not in UNSPECIFIED]
    assert [member.name for member in members] == [prefix + member.name for member in known]


def test_every_event_type_travels_by_itself() -> None:
    events = list(filled_messages(run_pb2.RunEventRecord.DESCRIPTOR))
    assert {event.event.WhichOneof("event") for event in events} == KNOWN_EVENT_TYPES | {"unknown_json"}


def filled_messages(descriptor: Descriptor) -> Iterator[Message]:
    """Fill a message in so many ways that each member of each oneof and enum inside it comes up."""
    for choice in range(_choices(descriptor)):
        yield _filled(descriptor, choice)


def real_oneofs(descriptor: Descriptor) -> list[OneofDescriptor]:
    return [oneof for oneof in descriptor.oneofs if not oneof.name.startswith("_")]


def _choices(descriptor: Descriptor) -> int:
    own = [len(oneof.fields) for oneof in real_oneofs(descriptor)]
    enums = [len(field.enum_type.values) - 1 for field in descriptor.fields if field.enum_type]
    inner = [_choices(field.message_type) for field in descriptor.fields if field.message_type]
    return max([1, *own, *enums, *inner])


def _filled(descriptor: Descriptor, choice: int) -> Message:
    if descriptor.full_name == Timestamp.DESCRIPTOR.full_name:
        return Timestamp(seconds=1_767_225_605, nanos=123_456_789)
    chosen = {oneof.fields[choice % len(oneof.fields)] for oneof in real_oneofs(descriptor)}
    passed_over = {field for oneof in real_oneofs(descriptor) for field in oneof.fields} - chosen
    message = GetMessageClass(descriptor)()
    for field in descriptor.fields:
        if field not in passed_over:
            _fill(message, field, choice)
    return message


def _fill(message: Message, field: FieldDescriptor, choice: int) -> None:
    value = _value(field, choice)
    if field.is_repeated:
        getattr(message, field.name).append(value)
    elif field.message_type:
        getattr(message, field.name).CopyFrom(value)
    else:
        setattr(message, field.name, value)


def _value(field: FieldDescriptor, choice: int) -> object:
    if field.message_type:
        return _filled(field.message_type, choice)
    if field.enum_type:
        numbers = [value.number for value in field.enum_type.values if value.number]
        return numbers[choice % len(numbers)]
    if field.name == "unknown_fields_json":
        return UNKNOWN_JSON
    if field.name == "unknown_json":
        return f'{{"type":"of_later",{OPEN_JSON[1:]}'
    if field.name.endswith("_json"):
        return _EVIDENCE.get(field.full_name, OPEN_JSON)
    return DECIMAL if field.full_name in _DECIMAL_FIELDS else _VALUES[field.type]
