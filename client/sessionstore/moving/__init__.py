"""Moves whole sessions and checkpoints between any two stores, and checks that what a store holds can be read."""

from sessionstore.moving.copying import CopyOptions, copy_store
from sessionstore.moving.holding import Holding, read_holding
from sessionstore.moving.report import CopyReport, Note, VerifyReport
from sessionstore.moving.verifying import verify_store

__all__ = [
    "CopyOptions",
    "CopyReport",
    "Holding",
    "Note",
    "VerifyReport",
    "copy_store",
    "read_holding",
    "verify_store",
]
