"""How records come back out of the folder of a key."""

from collections.abc import Collection, Mapping

from sessionstore.errors import DataCorruptionError
from sessionstore_server.backends import checks
from sessionstore_server.backends.base import Listed, LogRange, LogView, View
from sessionstore_server.backends.file import logs
from sessionstore_server.backends.file.codec import RecordCodec
from sessionstore_server.backends.file.folder import Folder
from sessionstore_server.backends.file.names import COMMITS
from sessionstore_server.backends.file.state import State


class Reader:
    """Reads from an open folder what a state of its key names. Errors: DataCorruptionError."""

    def __init__(self, codec: RecordCodec, folder: Folder, state: State) -> None:
        self._codec = codec
        self._folder = folder
        self._state = state

    def view(self, documents: Collection[str], ranges: Mapping[str, LogRange]) -> View:
        """Return the documents and log ranges that are asked for."""
        state = self._state
        return View(
            state.revision,
            state.commit_time,
            {name: self._document(name) for name in checks.pick(state.documents, dict.fromkeys(documents))},
            {name: self._log(name, span) for name, span in checks.pick(state.logs, ranges).items()},
        )

    def listed(self, summarized: bool) -> Listed | None:
        """Return what a list of the keys with a summary shows, or of those without, if anything."""
        state = self._state
        if state.summary is None:
            return None if summarized else Listed(state.key.id, state.revision, b"")
        if not summarized:
            return None
        summary = self._record("summary", state.summary.json.encode(), COMMITS, state.summary.line)
        return Listed(state.key.id, state.revision, summary)

    def _document(self, name: str) -> bytes:
        text = self._state.documents[name]
        return self._record(name, text.json.encode(), COMMITS, text.line)

    def _log(self, name: str, span: LogRange) -> LogView:
        log = self._state.logs[name]
        lines = logs.read(self._folder, log, span.start, span.stop)
        records = tuple(self._record(name, line, log.file, number) for number, line in enumerate(lines, span.start + 1))
        return LogView(records, span.start, log.end.records, log.shortened_at)

    def _record(self, name: str, text: bytes, file: str, line: int) -> bytes:
        try:
            return self._codec.from_json(self._state.key.collection, name, text)
        except ValueError as error:
            raise DataCorruptionError(f"{self._folder.path / file} line {line}", f"{name}: {error}") from error
