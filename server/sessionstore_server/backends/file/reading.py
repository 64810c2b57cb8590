"""How records come back out of the folder of a key."""

from collections.abc import Collection, Mapping

from sessionstore.errors import DataCorruptionError
from sessionstore_server.backends import checks
from sessionstore_server.backends.base import Commit, LogRange, LogView, View
from sessionstore_server.backends.file import commits, logs
from sessionstore_server.backends.file.codec import RecordCodec
from sessionstore_server.backends.file.folder import Folder
from sessionstore_server.backends.file.names import COMMITS
from sessionstore_server.backends.file.state import State


class Reader:
    """Reads from an open folder what a state of its key names. Errors: DataCorruptionError."""

    def __init__(self, codec: RecordCodec, folder: Folder, state: State) -> None:
        self.state = state
        self._codec = codec
        self._folder = folder

    def at(self, revision: int | None) -> "Reader":
        """Return a reader of a past revision (None: this one). Errors: RevisionNotKeptError."""
        if revision is None:
            return self
        return Reader(self._codec, self._folder, commits.past(self._folder, self.state, revision))

    def history(self) -> list[Commit]:
        """Return the revisions that can still be read, the oldest first."""
        return [kept.commit for kept in self.state.kept]

    def view(self, documents: Collection[str], ranges: Mapping[str, LogRange]) -> View:
        """Return the documents and log ranges that are asked for."""
        state = self.state
        return View(
            state.revision,
            state.commit_time,
            {name: self.document(name) for name in checks.pick(state.documents, dict.fromkeys(documents))},
            {name: self._log(name, span) for name, span in checks.pick(state.logs, ranges).items()},
        )

    def summary(self) -> bytes:
        """Return the record of the summary; empty when there is none."""
        summary = self.state.summary
        if summary is None:
            return b""
        return self._record("summary", summary.record.json.encode(), COMMITS, summary.record.line)

    def document(self, name: str) -> bytes:
        """Return a document, which must be there."""
        text = self.state.documents[name]
        return self._record(name, text.json.encode(), COMMITS, text.line)

    def _log(self, name: str, span: LogRange) -> LogView:
        log = self.state.logs[name]
        lines = logs.read(self._folder, log, span.start, span.stop)
        records = tuple(self._record(name, line.text, line.file, line.number) for line in lines)
        return LogView(records, span.start, log.length, log.shortened_at)

    def _record(self, name: str, text: bytes, file: str, line: int) -> bytes:
        try:
            return self._codec.from_json(self.state.key.collection, name, text)
        except ValueError as error:
            raise DataCorruptionError(f"{self._folder.path / file} line {line}", f"{name}: {error}") from error
