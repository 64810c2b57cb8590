"""Keeps sessions in JSON files."""

from sessionstore_server.backends.file.backend import FileBackend
from sessionstore_server.backends.file.codec import Base64Codec, RecordCodec
from sessionstore_server.backends.file.incarnation import mark_restored

__all__ = ["Base64Codec", "FileBackend", "RecordCodec", "mark_restored"]
