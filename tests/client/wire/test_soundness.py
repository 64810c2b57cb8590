"""What is sound at a glance, its model takes. The messages are complete ones, each of them spoiled in one place."""

from collections.abc import Callable, Iterator
from typing import Annotated, Self

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import AfterValidator, Field, model_validator
from tests.client.wire.test_codec_completeness import APART, MODELLED, codec_of, filled_messages

from sessionstore import InvalidArgumentError
from sessionstore.model import ArtifactManifest, Model, ToolArtifact
from sessionstore.model.scalar import U64, Str
from sessionstore.v1 import artifact_pb2 as pb
from sessionstore.v1 import session_pb2
from sessionstore.wire import records
from sessionstore.wire.codec import Codec

RECORDS = [codec for codec in vars(records).values() if isinstance(codec, Codec)]
KNOWN_NAMES = ("id", "schema", "description", "todos", "api_key", "autoParallel", "max_tasks", "packageId", "type")
ODD_JSON = ["", "{", "1", "{}", "[1e999]", '{"type":1}', '{"type":"text_delta"}', "[" * 130 + "]" * 130]
ODD_JSON += [f'{{"{name}":5}}' for name in KNOWN_NAMES]
ODD_VALUES = {
    FieldDescriptor.TYPE_STRING: ["1.0", str(2**128)],
    FieldDescriptor.TYPE_ENUM: [0, 99],
    FieldDescriptor.TYPE_FLOAT: [float("inf"), float("nan")],
    FieldDescriptor.TYPE_DOUBLE: [float("-inf"), float("nan")],
    FieldDescriptor.TYPE_UINT32: [2**32 - 1],
}
FIRST_SECOND, LAST_SECOND = -62_135_596_800, 253_402_300_799
ODD_MOMENTS = [Timestamp(seconds=seconds) for seconds in (FIRST_SECOND - 1, FIRST_SECOND, LAST_SECOND, LAST_SECOND + 1)]
ODD_MOMENTS += [Timestamp(nanos=nanos) for nanos in (-1, 10**9 - 1, 10**9)]


@pytest.mark.parametrize("descriptor", MODELLED, ids=lambda descriptor: descriptor.name)
def test_every_complete_message_is_sound(descriptor: Descriptor) -> None:
    for message in filled_messages(descriptor):
        assert codec_of(descriptor).is_sound(message)


@pytest.mark.parametrize("codec", RECORDS, ids=lambda codec: codec.model_class.__name__)
def test_what_a_model_refuses_is_not_sound(codec: Codec) -> None:
    refusals = 0
    for message in filled_messages(codec.message_class.DESCRIPTOR):
        for _ in spoiled(message):
            refused = _is_refused(codec, message)
            refusals += refused
            assert not (refused and codec.is_sound(message)), message
    assert refusals


def test_fields_that_an_older_writer_did_not_know_are_for_the_model_to_judge() -> None:
    session = session_pb2.SessionData(id="s", unknown_fields_json='{"tenant_id":"t"}')
    assert not records.SESSION.is_sound(session)
    assert records.SESSION.from_proto(session).tenant_id == "t"


class ShortName(ToolArtifact):
    tool_name: Annotated[Str, Field(max_length=4)]


def _refuse_large(size: int) -> int:
    if size > 9:
        raise ValueError("too large")
    return size


def _refuse_anonymous(artifact: ToolArtifact) -> ToolArtifact:
    if not artifact.tool_name:
        raise ValueError("nameless")
    return artifact


class SmallOutput(ToolArtifact):
    shown_bytes: Annotated[U64, AfterValidator(_refuse_large)]


class NamedByTool(ToolArtifact):
    @model_validator(mode="after")
    def _check_names(self) -> Self:
        if self.artifact_id != self.tool_name:
            raise ValueError("another name")
        return self


class FewArtifacts(ArtifactManifest):
    artifacts: Annotated[tuple[ToolArtifact, ...], Field(max_length=1)]


class SomeUris(ArtifactManifest):
    retained_uris: Annotated[tuple[Str, ...], Field(min_length=1)] = ()


class FewUris(ArtifactManifest):
    retained_uris: Annotated[tuple[Str, ...], Field(max_length=1)] | None = None


class NamedArtifacts(ArtifactManifest):
    artifacts: tuple[Annotated[ToolArtifact, AfterValidator(_refuse_anonymous)], ...]


@pytest.mark.parametrize(
    ("model_class", "sound", "unsound"),
    [
        (ShortName, pb.ToolArtifact(tool_name="bash"), pb.ToolArtifact(tool_name="python")),
        (SmallOutput, pb.ToolArtifact(shown_bytes=9), pb.ToolArtifact(shown_bytes=10)),
        (NamedByTool, pb.ToolArtifact(tool_name="a", artifact_id="a"), pb.ToolArtifact(tool_name="a")),
        (FewArtifacts, pb.ArtifactManifest(artifacts=[{}]), pb.ArtifactManifest(artifacts=[{}, {}])),
        (SomeUris, pb.ArtifactManifest(retained_uris=["a"]), pb.ArtifactManifest()),
        (NamedArtifacts, pb.ArtifactManifest(artifacts=[{"tool_name": "a"}]), pb.ArtifactManifest(artifacts=[{}])),
        (FewUris, pb.ArtifactManifest(retained_uris=["a"]), pb.ArtifactManifest(retained_uris=["a", "b"])),
    ],
)
def test_rules_that_are_not_known_here_are_asked(model_class: type[Model], sound: Message, unsound: Message) -> None:
    codec = Codec(model_class, type(sound))
    assert codec.is_sound(sound)
    assert not codec.is_sound(unsound)


def _is_refused(codec: Codec, message: Message) -> bool:
    try:
        codec.from_proto(message, **dict.fromkeys(APART.get(codec.model_class.__name__, ()), ()))
    except InvalidArgumentError:
        return True
    return False


def spoiled(part: Message) -> Iterator[None]:
    """Spoil a message in one place after the other, also in its parts, and mend it again."""
    before = type(part).FromString(part.SerializeToString())
    for spoil in _ways_to_spoil(part):
        spoil()
        yield
        part.CopyFrom(before)
    for field in [field for field, _ in part.ListFields()]:
        for place, _ in enumerate(_parts(field, getattr(part, field.name))):
            yield from spoiled(_parts(field, getattr(part, field.name))[place])


def _parts(field: FieldDescriptor, value: object) -> list[Message]:
    if field.message_type is None or field.message_type.full_name == Timestamp.DESCRIPTOR.full_name:
        return []
    return list(value) if field.is_repeated else [value]


def _ways_to_spoil(part: Message) -> Iterator[Callable[[], object]]:
    for field in part.DESCRIPTOR.fields:
        yield lambda name=field.name: part.ClearField(name)
        if field.message_type is Timestamp.DESCRIPTOR:
            yield from (lambda odd=odd, name=field.name: getattr(part, name).CopyFrom(odd) for odd in ODD_MOMENTS)
        for odd in ODD_JSON if field.name.endswith("_json") else ODD_VALUES.get(field.type, ()):
            yield lambda odd=odd, field=field: _put(part, field, odd)


def _put(part: Message, field: FieldDescriptor, odd: object) -> None:
    if field.is_repeated:
        getattr(part, field.name).append(odd)
    else:
        setattr(part, field.name, odd)
