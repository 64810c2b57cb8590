"""A disk that fails or loses power: it stands between one folder and the operations of `os` that change it.

Every operation is carried out on real files. Beside them a model keeps what the medium would hold: what a file or a
folder was given since it was last synced is pending, and a power cut keeps any prefix of it, file by file and folder
by folder, the last write cut at any page.
"""

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any
from unittest.mock import patch

PAGE_BYTES = 4096

Image = tuple[tuple[str, str, bytes | None], ...]
"""A whole folder: the path of everything in it, the first path of the same file, and the content (None: a folder)."""

OPERATIONS = ("pwrite", "ftruncate", "fsync", "fdatasync", "open", "mkdir", "rename", "link", "unlink", "rmdir")
FAIL_FULL = frozenset(OPERATIONS) - {"ftruncate", "unlink", "rmdir"}
"""What a full disk refuses."""


@dataclass
class Fault:
    """What goes wrong: the n-th operation (from 1), and with `lasting` all that follow, until `lifted`."""

    at: int
    error: int
    lasting: bool = False
    lifted: bool = False
    count: int = 0
    hit: str = ""
    """The first operation that failed."""

    def meets(self, operation: str) -> bool:
        """Count an operation and tell whether it fails."""
        if self.lifted or (self.error == errno.ENOSPC and operation not in FAIL_FULL):
            return False
        self.count += 1
        fails = self.count >= self.at if self.lasting else self.count == self.at
        self.hit = self.hit or (operation if fails else "")
        return fails


@dataclass(eq=False)
class File:
    durable: bytes
    pending: list["Write | int"] = field(default_factory=list)
    """Writes, and sizes to which it was cut."""

    def lose(self) -> None:
        """Forget what a failed sync did not write: the system takes it for written, and no later sync tries again."""
        self.pending.clear()

    def after(self, operations: list["Write | int"]) -> bytes:
        content = self.durable
        for operation in operations:
            content = content[:operation] if isinstance(operation, int) else operation.on(content)
        return content

    def variants(self) -> Iterator[bytes]:
        """Yield what a power cut may leave."""
        for number in range(len(self.pending) + 1):
            done = self.pending[:number]
            yield self.after(done)
            if done and isinstance(done[-1], Write):
                for torn in done[-1].torn():
                    yield self.after([*done[:-1], torn])


@dataclass(frozen=True)
class Write:
    position: int
    data: bytes

    def on(self, content: bytes) -> bytes:
        content = content.ljust(self.position, b"\0")
        return content[: self.position] + self.data + content[self.position + len(self.data) :]

    def torn(self) -> Iterator["Write"]:
        """Yield the write without some of its pages: cut off, or never written below the new size."""
        size = len(self.data)
        first = PAGE_BYTES - self.position % PAGE_BYTES
        for cut in (0, *range(first, size, PAGE_BYTES)):
            head, tail = self.data[:cut], self.data[cut:]
            yield Write(self.position, head + bytes(len(tail)))
            if cut:
                yield Write(self.position, head)
                yield Write(self.position, bytes(cut) + tail)


@dataclass(eq=False)
class Directory:
    durable: dict[str, "Node"]
    pending: list[Mapping[str, "Node | None"]] = field(default_factory=list)
    """Names that were given, and (None) taken."""
    home: tuple["Directory", str] | None = None
    """The folder that it was moved to last, and its name there."""

    def lose(self) -> None:
        """Keep what is pending: names go through the journal of the file system, which stops when it cannot write."""

    def after(self, operations: list[Mapping[str, "Node | None"]]) -> dict[str, "Node"]:
        names: dict[str, Node | None] = dict(self.durable)
        for operation in operations:
            names.update(operation)
        return {name: node for name, node in names.items() if node is not None}

    def variants(self) -> Iterator[dict[str, "Node"]]:
        """Yield what a power cut may leave."""
        for number in range(len(self.pending) + 1):
            yield self.after(self.pending[:number])


Node = File | Directory


class Disk:
    """The disk beneath `root`, from `installed` on; what is there before counts as durable."""

    def __init__(self, root: Path, fault: Fault | None = None, *, records_cuts: bool = False) -> None:
        self.root = root
        self.cuts: dict[Image, None] = {}
        """What power cuts could have left after each operation, if `records_cuts`."""
        self._fault = fault or Fault(0, errno.EIO)
        self._records_cuts = records_cuts
        self._nodes: dict[int, Node] = {}
        self._real = {name: getattr(os, name) for name in OPERATIONS}
        self._top = self._scanned(root)

    @contextmanager
    def installed(self) -> Iterator[None]:
        with patch.multiple(os, **{name: getattr(self, f"_{name}") for name in OPERATIONS}):
            yield

    def durable(self) -> Image:
        """What a power cut leaves at least: nothing but what was synced."""
        return self._image(lambda node: node.durable)

    def possible(self) -> Iterator[Image]:
        """Yield what a power cut now could leave.

        Each file and folder on its own keeps any part of what is pending, while the others keep all or none.
        """
        for files, folders in product((True, False), repeat=2):
            yield self._image(lambda node: _kept(node, whole=files if isinstance(node, File) else folders))  # noqa: B023
        for node in list(self._nodes.values()):
            for variant, whole in product(node.variants() if node.pending else (), (True, False)):
                yield self._image(lambda other: variant if other is node else _kept(other, whole=whole))  # noqa: B023

    def _scanned(self, path: Path, known: dict[int, File] | None = None) -> Directory:
        known = {} if known is None else known
        names: dict[str, Node] = {}
        for child in path.iterdir():
            if child.is_dir():
                names[child.name] = self._scanned(child, known)
            else:
                names[child.name] = known.setdefault(child.stat().st_ino, File(child.read_bytes()))
                self._nodes[child.stat().st_ino] = names[child.name]
        folder = Directory(names)
        self._nodes[path.stat().st_ino] = folder
        return folder

    def _image(self, choose: Callable[[Node], Any]) -> Image:
        entries: list[tuple[str, str, bytes | None]] = []
        seen: dict[int, str] = {}

        def walk(folder: Directory, path: str) -> None:
            for name, node in choose(folder).items():
                place = f"{path}{name}"
                if isinstance(node, File):
                    entries.append((place, seen.setdefault(id(node), place), choose(node)))
                elif not _moved(node, (folder, name), choose):
                    entries.append((place, place, None))
                    walk(node, f"{place}/")

        walk(self._top, "")
        return tuple(entries)

    def _node(self, descriptor: int | None) -> Node | None:
        return None if descriptor is None else self._nodes.get(os.fstat(descriptor).st_ino)

    def _folder(self, descriptor: int | None) -> Directory | None:
        node = self._node(descriptor)
        return node if isinstance(node, Directory) else None

    def _meet(self, operation: str) -> None:
        if self._fault.meets(operation):
            raise OSError(self._fault.error, os.strerror(self._fault.error))

    def _done(self) -> None:
        if self._records_cuts:
            self.cuts.update(dict.fromkeys(self.possible()))

    def _pwrite(self, descriptor: int, data: bytes, position: int) -> int:
        file = self._node(descriptor)
        if isinstance(file, File):
            if self._fault.meets("pwrite"):
                # The first part still fits, and is all that is written.
                data = data[: len(data) // 2] if self._fault.error == errno.ENOSPC else data[:0]
                self._write(file, descriptor, data, position)
                raise OSError(self._fault.error, os.strerror(self._fault.error))
            return self._write(file, descriptor, data, position)
        return self._real["pwrite"](descriptor, data, position)

    def _write(self, file: File, descriptor: int, data: bytes, position: int) -> int:
        written = self._real["pwrite"](descriptor, data, position)
        file.pending.append(Write(position, bytes(data[:written])))
        self._done()
        return written

    def _ftruncate(self, descriptor: int, size: int) -> None:
        file = self._node(descriptor)
        if isinstance(file, File):
            self._meet("ftruncate")
            file.pending.append(size)
        self._real["ftruncate"](descriptor, size)
        self._done()

    def _fsync(self, descriptor: int) -> None:
        self._sync("fsync", descriptor)

    def _fdatasync(self, descriptor: int) -> None:
        self._sync("fdatasync", descriptor)

    def _sync(self, name: str, descriptor: int) -> None:
        node = self._node(descriptor)
        if node is not None:
            if self._fault.meets(name):
                node.lose()
                raise OSError(self._fault.error, os.strerror(self._fault.error))
            _settle(node)
        self._real[name](descriptor)
        self._done()

    def _open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        folder = self._folder(dir_fd)
        makes = folder is not None and flags & os.O_CREAT and not _exists(path, dir_fd)
        if folder is not None and (makes or self._fault.error == errno.EIO):
            self._meet("open")
        descriptor = self._real["open"](path, flags, mode, dir_fd=dir_fd)
        if makes:
            self._add(folder, path, File(b""), os.fstat(descriptor).st_ino)
        return descriptor

    def _mkdir(self, path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        folder = self._folder(dir_fd)
        if folder is not None and not _exists(path, dir_fd):
            self._meet("mkdir")
        self._real["mkdir"](path, mode, dir_fd=dir_fd)
        if folder is not None:
            inode = os.stat(path, dir_fd=dir_fd, follow_symlinks=False).st_ino
            self._add(folder, path, Directory({}), inode)

    def _add(self, folder: Directory | None, name: str, node: Node, inode: int) -> None:
        assert folder is not None
        self._nodes[inode] = node
        folder.pending.append({name: node})
        self._done()

    def _rename(
        self, source: Any, target: Any, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None
    ) -> None:
        before, after = self._folder(src_dir_fd), self._folder(dst_dir_fd)
        if before is not None and after is not None:
            self._meet("rename")
        self._real["rename"](source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
        if before is not None and after is not None:
            node = before.after(before.pending)[source]
            if before is after:
                after.pending.append({target: node, source: None})
            else:
                after.pending.append({target: node})
                before.pending.append({source: None})
            if isinstance(node, Directory):
                node.home = (after, target)
            self._done()

    def _link(
        self, source: Any, target: Any, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None, **options: bool
    ) -> None:
        before, after = self._folder(src_dir_fd), self._folder(dst_dir_fd)
        if after is not None:
            self._meet("link")
        self._real["link"](source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd, **options)
        if before is not None and after is not None:
            after.pending.append({target: before.after(before.pending)[source]})
            self._done()

    def _unlink(self, path: Any, *, dir_fd: int | None = None) -> None:
        self._take("unlink", path, dir_fd)

    def _rmdir(self, path: Any, *, dir_fd: int | None = None) -> None:
        self._take("rmdir", path, dir_fd)

    def _take(self, name: str, path: Any, dir_fd: int | None) -> None:
        folder = self._folder(dir_fd)
        if folder is not None and _exists(path, dir_fd):
            self._meet(name)
        self._real[name](path, dir_fd=dir_fd)
        if folder is not None:
            folder.pending.append({path: None})
            self._done()


def image(root: Path) -> Image:
    """Return what is in a folder."""
    return Disk(root).durable()


def restore(image: Image, root: Path) -> None:
    """Make a folder that holds an image, with its hard links."""
    root.mkdir()
    for path, first, content in image:
        if content is None:
            (root / path).mkdir()
        elif path == first:
            (root / path).write_bytes(content)
        else:
            (root / path).hardlink_to(root / first)


def _kept(node: Node, *, whole: bool) -> Any:
    return node.after(node.pending) if whole else node.durable


def _moved(node: Directory, place: tuple[Directory, str], choose: Callable[[Node], Any]) -> bool:
    """Tell whether a folder has arrived elsewhere: it has one name, also when the old folder was not synced."""
    if node.home is None or node.home == place:
        return False
    folder, name = node.home
    return choose(folder).get(name) is node


def _settle(node: Node) -> None:
    node.durable = node.after(node.pending)  # type: ignore[assignment, arg-type]
    node.pending.clear()


def _exists(path: Any, dir_fd: int | None) -> bool:
    with suppress(FileNotFoundError):
        os.stat(path, dir_fd=dir_fd, follow_symlinks=False)
        return True
    return False
