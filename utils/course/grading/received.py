"""The files that came back, in a folder or a zip archive, as one flat list. Nothing is ever unpacked to the disk.

What lies in a zip archive is bounded by what is really read, not by what the archive says of itself. Links are not
followed, and files that editors and systems leave behind are passed over.
"""

import io
import lzma
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from utils.course.errors import CourseError
from utils.course.grading.reading import LARGEST, TOO_LARGE, Unreadable

DEEPEST = 25  # folders inside each other
LARGEST_ARCHIVE = 50_000_000  # bytes of an archive that a student sent
_MOST_FILES = 100_000  # in what the instructor downloaded
_MOST_FILES_OF_ONE = 2_000  # in an archive that a student sent
_NOISE = {"__MACOSX", "__pycache__", "node_modules", "site-packages", "venv", "Thumbs.db", "desktop.ini"}
_BAD_ARCHIVE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,
    NotImplementedError,
    ValueError,
    IndexError,
    MemoryError,
)


@dataclass(frozen=True)
class File:
    """A file that came back.

    Parameters
    ----------
    path : str
        Where it was, with slashes; inside an archive that a student sent, behind the archive's own path.
    modified : datetime or None
        With its time zone, where it is known.
    problem : str
        Why it is not read, in words; empty where it can be.
    content : callable
        Returns its bytes, or raises OSError or one of the errors of damaged archives.
    """

    path: str
    modified: datetime | None
    problem: str
    content: Callable[[], bytes]

    @property
    def name(self):
        return PurePosixPath(self.path).name

    @property
    def folders(self):
        """The folders it lies in, from the outermost on."""
        return PurePosixPath(self.path).parts[:-1]

    def read(self):
        """Its bytes; Unreadable says in words why there are none."""
        if self.problem:
            raise Unreadable(self.problem)
        try:
            data = self.content()
        except _BAD_ARCHIVE as error:
            raise Unreadable(f"the file cannot be read, it is damaged ({type(error).__name__})") from None
        if len(data) > LARGEST:
            raise Unreadable(TOO_LARGE)
        return data


@dataclass(frozen=True)
class Received:
    """What came back.

    Parameters
    ----------
    files : list of File
        In order of their paths.
    folders : set of str
        All folders, those without files too.
    repositories : set of str
        Those of them that are repositories of git.
    """

    files: list
    folders: set
    repositories: set


def receive(path):
    """What lies in a folder, a zip archive, or is a single notebook.

    Archives inside are opened once (an archive of each student), not deeper.

    Parameters
    ----------
    path : str or pathlib.Path

    Returns
    -------
    Received
    """
    path = Path(path)
    if path.is_dir():
        received = _folder(path)
        if len(received.files) == 1 and _is_archive(received.files[0].name):
            return receive(path / received.files[0].path)  # the learning platform's download, put into a folder
    elif path.is_file() and _is_archive(path.name):
        received = _archive(path)
    elif path.is_file():
        received = Received([_on_disk(path, path.name)], set(), set())
    else:
        raise CourseError(f"there is nothing at {path}: name a folder, a zip archive or a notebook")
    files = []
    for file in received.files:
        files += _inside(file) if _is_archive(file.name) and not file.problem else [file]
    return Received(sorted(files, key=lambda file: file.path), received.folders, received.repositories)


def _is_archive(name):
    return name.lower().endswith(".zip")


def _is_noise(part):
    return part in _NOISE or part.startswith((".", "~$"))


# --- folders ---------------------------------------------------------------------------------------------------------


def _folder(root):
    files, folders, repositories = [], set(), set()
    waiting = [(root, "")]
    while waiting:
        folder, inside = waiting.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            if not inside:
                raise CourseError(f"{root} cannot be read: {error.strerror}") from None
            files.append(_refused(f"{inside}/", f"the folder cannot be read ({error.strerror})"))
            continue
        if inside:
            folders.add(inside)
        for entry in entries:
            name = f"{inside}/{_printable(entry.name)}" if inside else _printable(entry.name)
            if entry.name == ".git":
                repositories.add(inside)
            if _is_noise(entry.name):
                continue
            if entry.is_symlink():
                files.append(_refused(name, "the file is a link to another place, not a file"))
            elif entry.is_dir(follow_symlinks=False):
                if name.count("/") < DEEPEST:
                    waiting.append((entry.path, name))
            elif entry.is_file(follow_symlinks=False):
                files.append(_on_disk(entry.path, name))
            if len(files) > _MOST_FILES:
                raise CourseError(f"{root} holds more than {_MOST_FILES} files: is it the folder of submissions?")
    return Received(files, folders, repositories)


def _printable(name):
    """A file's name as text that can be written, also where the disk's is not UTF-8."""
    try:
        name.encode()
        return name
    except UnicodeEncodeError:
        return os.fsencode(name).decode("latin-1")


def _on_disk(path, name):
    information = os.stat(path, follow_symlinks=False)
    problem = TOO_LARGE if information.st_size > LARGEST and not _is_archive(name) else ""

    def content():
        with open(path, "rb") as file:
            return file.read(LARGEST_ARCHIVE + 1 if _is_archive(name) else LARGEST + 1)

    return File(name, datetime.fromtimestamp(information.st_mtime, UTC), problem, content)


def _refused(path, problem):
    return File(path, None, problem, bytes)


# --- archives --------------------------------------------------------------------------------------------------------


def _archive(path):
    """The download of a learning platform."""
    try:
        archive = zipfile.ZipFile(path)
    except _BAD_ARCHIVE as error:
        raise CourseError(f"{path.name} is no zip archive that can be read ({error}): download it again") from None
    if len(archive.infolist()) > _MOST_FILES:
        raise CourseError(f"{path.name} holds more than {_MOST_FILES} files: is it the archive of submissions?")
    return _members(archive)


def _inside(file):
    """The files of an archive that a student sent; the archive itself, with a problem, where it cannot be opened."""
    try:
        data = file.content()
    except _BAD_ARCHIVE as error:
        return [_refused(file.path, f"the archive is damaged ({type(error).__name__})")]
    if len(data) > LARGEST_ARCHIVE:
        return [_refused(file.path, f"the archive is larger than {LARGEST_ARCHIVE // 1_000_000} MB")]
    if _directory_size(data) > 200 * _MOST_FILES_OF_ONE:
        return [_refused(file.path, f"the archive holds more than {_MOST_FILES_OF_ONE} files")]
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except _BAD_ARCHIVE:
        return [_refused(file.path, "the archive is damaged, or no zip archive")]
    if len(archive.infolist()) > _MOST_FILES_OF_ONE:
        return [_refused(file.path, f"the archive holds more than {_MOST_FILES_OF_ONE} files")]
    inner = _members(archive, file.path + "/").files
    return inner or [_refused(file.path, "the archive is empty")]


def _directory_size(data):
    """Bytes of an archive's list of members, as its end says: known before the list is read."""
    end = data.rfind(b"PK\x05\x06")
    return struct.unpack_from("<I", data, end + 12)[0] if 0 <= end <= len(data) - 22 else 0


def _members(archive, before=""):
    files, folders, repositories = [], set(), set()
    for member in archive.infolist():
        name = _member_name(member).replace("\\", "/")
        parts = PurePosixPath(name).parts
        for depth, part in enumerate(parts):
            if part == ".git":
                repositories.add("/".join(parts[:depth]))
            if _is_noise(part):
                break
            if depth < len(parts) - 1 or member.is_dir():
                folders.add("/".join(parts[: depth + 1]))
        safe = [part for part in parts if part not in ("..", "/") and not part.endswith(":")]
        if member.is_dir() or not safe or any(_is_noise(part) for part in safe):
            continue
        path = before + "/".join(safe)
        problem = ""
        if len(safe) < len(parts):
            problem = "the archive holds the file under a path that leads out of it: it was refused"
        elif len(parts) > DEEPEST:
            problem = f"the file lies in more than {DEEPEST} folders"
        elif stat.S_ISLNK(member.external_attr >> 16):
            problem = "the file is a link to another place, not a file"
        elif member.flag_bits & 1:
            problem = "the file is locked by a password"
        elif member.file_size > (LARGEST_ARCHIVE if _is_archive(name) else LARGEST):
            problem = TOO_LARGE
        files.append(File(path, _member_time(member), problem, _content(archive, member)))
    return Received(files, folders - {"", "/"}, repositories)


def _content(archive, member):
    largest = LARGEST_ARCHIVE if _is_archive(member.filename) else LARGEST

    def read():
        with archive.open(member) as file:
            return file.read(largest + 1)

    return read


def _member_name(member):
    """A member's name. Many programs write UTF-8 and do not say so: then zipfile has read it as cp437."""
    if member.flag_bits & 0x800:
        return _printable(member.filename)
    try:
        return member.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return _printable(member.filename)


def _member_time(member):
    """When a member was changed: to the second and in UTC where the archive has it, else in this machine's zone."""
    extra = member.extra
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        if kind == 0x5455 and length >= 5 and len(extra) >= 9 and extra[4] & 1:
            return datetime.fromtimestamp(struct.unpack_from("<i", extra, 5)[0], UTC)
        extra = extra[4 + length :]
    try:
        return datetime(*member.date_time).astimezone() if member.date_time[0] > 1980 else None
    except (ValueError, OverflowError, OSError):
        return None
