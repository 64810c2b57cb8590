"""What `sessionstore.model` offers, and what it does not load."""

import subprocess
import sys

from sessionstore import model
from sessionstore.model.base import Model

BASES = {"Model", "FrozenModel", "EditableModel", "EvidenceModel"}


def subclasses(base):
    for child in base.__subclasses__():
        yield child
        yield from subclasses(child)


def test_every_model_is_exported():
    defined = {child.__name__ for child in subclasses(Model) if child.__module__.startswith("sessionstore.model")}
    assert defined - BASES <= set(model.__all__)


def test_every_exported_name_exists():
    assert all(hasattr(model, name) for name in model.__all__)
    assert len(set(model.__all__)) == len(model.__all__)


def test_models_load_neither_grpc_nor_protobuf():
    code = "import sys, sessionstore.model; print([m for m in sys.modules if m.split('.')[0] in ('grpc', 'google')])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_every_field_has_a_strict_type():
    """A field of a bare scalar type would let pydantic turn one type into another."""
    scalars = (str, int, float, bool)
    for child in subclasses(Model):
        for name, field in child.model_fields.items():
            assert field.annotation not in scalars or field.metadata, f"{child.__name__}.{name}"
