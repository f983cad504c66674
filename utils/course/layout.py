"""Where a course's files are, and the address it is fetched from."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from utils.course.errors import CourseError
from utils.files import ROOT

_ADDRESS = re.compile(r"https://github\.com/([A-Za-z0-9-]+)/([A-Za-z0-9._-]+)")


@dataclass(frozen=True)
class Course:
    """A course: its folder, the address of its repository, and the branch or tag that is handed out.

    Parameters
    ----------
    root : pathlib.Path
        The folder that holds ``labs/``, ``solutions/`` and ``pyproject.toml``.
    address : str
        ``https://github.com/OWNER/REPO``
    revision : str
        Such as ``"main"``.
    """

    root: Path
    address: str
    revision: str

    @property
    def solutions(self):
        return self.root / "solutions"

    @property
    def labs(self):
        return self.root / "labs"

    @property
    def settings(self):
        return self.root / "pyproject.toml"

    @property
    def slug(self):
        """``OWNER/REPO``"""
        return "/".join(_ADDRESS.fullmatch(self.address).groups())


def load_course(root=ROOT):
    """The :class:`Course` in the folder `root`, from its ``pyproject.toml``."""
    path = Path(root).resolve() / "pyproject.toml"
    if not path.is_file():
        raise CourseError(f"{path.parent} is not a course: it has no pyproject.toml")
    settings = tomllib.loads(path.read_text(encoding="utf-8"))
    try:
        address = settings["project"]["urls"]["Repository"]
        revision = settings["tool"]["course"]["revision"]
    except KeyError as missing:
        raise CourseError(
            f"pyproject.toml lacks {missing}: it needs Repository in [project.urls] and revision in [tool.course]"
        ) from None
    return Course(path.parent, valid_address(address), valid_revision(revision))


def valid_address(address):
    """`address` without a last slash; a CourseError where it is not the address of a repository at GitHub.

    Examples
    --------
    >>> valid_address("https://github.com/someone/course/")
    'https://github.com/someone/course'
    """
    trimmed = address.strip().removesuffix("/")
    found = _ADDRESS.fullmatch(trimmed)
    if not found or found[2].endswith(".git") or found[2] in {".", ".."}:
        raise CourseError(
            f"a course's address is https://github.com/OWNER/REPO (Colab opens notebooks from there), got {address!r}"
        )
    return trimmed


def valid_revision(revision):
    """`revision`, which must be the plain name of a branch or tag."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/-]*", revision) or ".." in revision or revision.endswith("/"):
        raise CourseError(f"a revision is the name of a branch or tag such as 'main' or 'v1.0', got {revision!r}")
    return revision
