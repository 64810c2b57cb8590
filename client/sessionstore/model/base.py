"""What all models share: how they read and write JSON, and what may be done with them.

A model is *editable* or *frozen*. Its JSON object is *tolerant*, keeping the keys that this program does not know,
or, with `extra="forbid"`, *strict*.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from operator import not_
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Never, Self, TypeVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, GetCoreSchemaHandler, TypeAdapter, ValidationInfo
from pydantic.config import ExtraValues
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, PydanticSerializationError
from pydantic_core.core_schema import with_info_after_validator_function

from sessionstore.model.document import check_document, document_error
from sessionstore.model.open_value import FrozenDict, OpenValue

T = TypeVar("T")
M = TypeVar("M", bound="Model")
F = TypeVar("F", bound="FrozenModel")


REQUIRED: Final = object()


@dataclass(frozen=True)
class InJson:
    """Marks a field whose value for a key that is missing in JSON is not the default of a new object."""

    default: object = REQUIRED


RequiredInJson = Annotated[T, InJson()]
"""A field that JSON must have, although a new object has a default for it."""

OmitNone = Annotated[T | None, Field(exclude_if=lambda value: value is None)]
"""A field that is left out of JSON when it is None."""

OmitEmpty = Annotated[T, Field(exclude_if=not_)]
"""A field that is left out of JSON when it is empty, zero or false."""


class _Unshadowed:
    """Hides a deprecated attribute of `BaseModel`, so that a field can have its name without a warning."""

    def __set_name__(self, _owner: type, name: str) -> None:
        self.name = name

    def __get__(self, _instance: object, _owner: type) -> Never:
        raise AttributeError(self.name)


class Model(BaseModel):
    """The base of all models.

    `model_validate_json` and `model_dump_json` speak the stored JSON. Constructors take the snake_case names.
    Errors name the path of the field and never show its content.
    """

    model_config = ConfigDict(
        extra="allow",
        hide_input_in_errors=True,
        ignored_types=(_Unshadowed,),
        serialize_by_alias=True,
        validate_by_alias=True,
        validate_by_name=True,
    )

    # `schema` is a deprecated method of BaseModel; unknown fields are no argument that a type checker should ask for.
    if TYPE_CHECKING:
        schema: str = ""  # type: ignore[assignment]
    else:
        schema = _Unshadowed()
        __pydantic_extra__: dict[str, OpenValue]

    unique_json_keys: ClassVar[bool] = True
    """Whether a key that stands twice in an object is an error; otherwise the last one counts."""
    ignored_json_keys: ClassVar[frozenset[str]] = frozenset()
    """Keys that are known, and never kept."""
    _json_rules: ClassVar[Mapping[str, InJson]] = {}
    _read_aliases: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[BaseModel], handler: GetCoreSchemaHandler, /) -> CoreSchema:
        """Apply the rules of JSON where there are any, since every object pays for a validator."""
        fields = cls.__pydantic_fields__
        cls._json_rules = {name: mark for name, field in fields.items() if (mark := _json_rule(field))}
        cls._read_aliases = {
            alias: _json_name(name, field) for name, field in fields.items() for alias in _aliases(field)
        }
        schema = handler(source)
        if not (cls._json_rules or cls._read_aliases or cls.ignored_json_keys):
            return schema
        return with_info_after_validator_function(cls._apply_json_rules, schema)

    @classmethod
    def model_validate_json(
        cls,
        json_data: str | bytes | bytearray,
        *,
        strict: bool | None = None,
        extra: ExtraValues | None = None,
        context: object = None,
        by_alias: bool | None = True,
        by_name: bool | None = False,
    ) -> Self:
        """Read one JSON document. Errors: ValidationError, which names the path of each fault."""
        check_document(json_data, cls.__name__, unique_keys=cls.unique_json_keys)
        return super().model_validate_json(
            json_data, strict=strict, extra=extra, context=context, by_alias=by_alias, by_name=by_name
        )

    def model_dump_json(self, **options: Any) -> str:  # noqa: ANN401 - the options of pydantic, as they are
        """Write JSON in the layout of stored documents; `indent=2` is that of files, None the compact one.

        Errors: ValidationError when a list or dict was given a value that does not belong there.
        """
        with _refuse_misplaced_values(type(self).__name__):
            return super().model_dump_json(**{"warnings": "error", **options})

    def _apply_json_rules(self, info: ValidationInfo) -> Self:
        if unknown := self.__pydantic_extra__:
            self._refuse_repeated_aliases(unknown)
            for key in self.ignored_json_keys & unknown.keys():
                del unknown[key]
        if info.mode == "json":
            self._fill_missing_keys()
        return self

    def _refuse_repeated_aliases(self, unknown: Mapping[str, object]) -> None:
        for alias in self._read_aliases.keys() & unknown.keys():
            problem = f"The key is another name of {self._read_aliases[alias]}, which is given too: remove one"
            raise document_error(type(self).__name__, "repeated_key", problem, (alias,))

    def _fill_missing_keys(self) -> None:
        # Unknown keys count as set too, and one may have the name that a field has in Python.
        given = self.model_fields_set - (self.__pydantic_extra__ or {}).keys()
        absent = {name: rule.default for name, rule in self._json_rules.items() if name not in given}
        missing = [name for name, default in absent.items() if default is REQUIRED]
        if missing:
            fields = type(self).__pydantic_fields__
            locations = [(_json_name(name, fields[name]),) for name in missing]
            raise document_error(type(self).__name__, "missing", "Field required", *locations)
        self.__dict__.update(absent)


_NO_EXTRA = FrozenDict()


class FrozenModel(Model, frozen=True):
    """A value that is shared and therefore never changes, at any depth."""

    def model_post_init(self, _context: object) -> None:
        """Freeze the unknown fields."""
        if self.__pydantic_extra__ is not None:
            extra = FrozenDict(self.__pydantic_extra__) if self.__pydantic_extra__ else _NO_EXTRA
            object.__setattr__(self, "__pydantic_extra__", extra)


# Faster than `object.__setattr__` and the class itself, which look each of them up by its name.
_new = object.__new__
_set_values, _set_fields_set, _set_unknown, _set_private = (
    BaseModel.__dict__[slot].__set__
    for slot in ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")
)


def make_frozen(model_class: type[F], values: dict[str, object], unknown: FrozenDict) -> F:
    """Make a value, without checks, of all its fields in their order and of unknown ones: all valid and frozen."""
    made = _new(model_class)
    _set_values(made, values)
    _set_fields_set(made, _all_fields(model_class))
    _set_unknown(made, unknown)
    _set_private(made, None)
    return made


@cache
def _all_fields(model_class: type[BaseModel]) -> set[str]:
    """Return the names of the fields: one set for all values, because a set is as large as the rest of a value."""
    return set(model_class.__pydantic_fields__)


class EditableModel(Model, validate_assignment=True):
    """A value that its owner may edit in place; an assignment is checked as the constructor does."""


def validate_json_list(item_type: type[M], text: str | bytes | bytearray) -> list[M]:
    """Read a document that is a JSON array of models. Errors: ValidationError, as for one model."""
    check_document(text, f"list[{item_type.__name__}]", unique_keys=item_type.unique_json_keys)
    return _list_adapter(item_type).validate_json(text, by_alias=True, by_name=False)


def dump_json_list(items: Sequence[Model], indent: int | None = 2) -> str:
    """Write models as a JSON array, in the layout of `Model.model_dump_json`."""
    adapter = _list_adapter(type(items[0]) if items else Model)
    with _refuse_misplaced_values("list"):
        return adapter.dump_json(list(items), indent=indent, by_alias=True, warnings="error").decode()


@contextmanager
def _refuse_misplaced_values(subject: str) -> Iterator[None]:
    try:
        yield
    except PydanticSerializationError:
        # The original error shows the value, which may be secret.
        problem = "A list or dict holds a value of another type than its field takes: add models, not plain dicts"
        raise document_error(subject, "misplaced_value", problem) from None


@cache
def _list_adapter(item_type: type[M]) -> TypeAdapter[list[M]]:
    config = ConfigDict(hide_input_in_errors=True, title=f"list[{item_type.__name__}]")
    return TypeAdapter(list[item_type], config=config)  # type: ignore[valid-type]


def _json_rule(field: FieldInfo) -> InJson | None:
    return next((mark for mark in field.metadata if isinstance(mark, InJson)), None)


def _json_name(name: str, field: FieldInfo) -> str:
    return field.serialization_alias or name


def _aliases(field: FieldInfo) -> Sequence[str]:
    """Return every name under which the field is read, if there are several."""
    choices = field.validation_alias
    return [str(choice) for choice in choices.choices] if isinstance(choices, AliasChoices) else []
