"""The backend over any ordered key-value engine: whoever has one writes four methods, and has a backend."""

from sessionstore_server.backends.keyvalue.backend import KeyValueBackend
from sessionstore_server.backends.keyvalue.engine import KeyValues, Write

__all__ = ["KeyValueBackend", "KeyValues", "Write"]
