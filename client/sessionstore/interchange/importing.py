"""From a folder of the reference into a store."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

from sessionstore.interchange.document import DOCUMENT_TYPES, REFUSALS
from sessionstore.interchange.reading import Finding, FolderReader, Found, LeftAlone, Skipped
from sessionstore.interchange.report import SNAPSHOTS, Progress, Report
from sessionstore.model import SessionSnapshot
from sessionstore.store import SessionStore


async def import_a3s(folder: Path, store: SessionStore, progress: Progress) -> Report:
    """Save everything that the reference keeps in `folder`, in both its layouts, and report what could not be.

    What the store holds under an id of the folder is replaced, kind by kind; nothing else in it changes. Sealed files
    and the write-ahead log are not read, and the folder is not locked: no agent should be writing to it. `progress`
    counts files. Errors: InvalidArgumentError when `folder` is none, StorageError when it cannot be listed, and
    those of a store that fails as a whole.
    """
    report = Report("imported")
    reader = await asyncio.to_thread(FolderReader, folder)
    findings = reader.findings()
    done = 0
    while await _take(findings, store, report):
        done += 1
        progress(done, reader.file_count)
    report.sort()
    return report


async def _take(findings: Iterator[Finding], store: SessionStore, report: Report) -> bool:
    """Bring the next finding over and forget it before another is read; tell whether there was one."""
    match await asyncio.to_thread(next, findings, None):
        case None:
            return False
        case Found() as found:
            await _save(found, store, report)
        case Skipped(path, reason):
            report.skip(path, reason)
        case LeftAlone(path, reason):
            report.leave_alone(path, reason)
    return True


async def _save(found: Found, store: SessionStore, report: Report) -> None:
    try:
        await DOCUMENT_TYPES[found.kind].save(store)(found.id, found.content)
    except REFUSALS as error:
        report.skip(found.path, f"the store refuses it: {error}")
    else:
        report.count(SNAPSHOTS if isinstance(found.content, SessionSnapshot) else found.kind.label)
