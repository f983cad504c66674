"""Read a student's notebook: leniently, as editors damage files in many ways, and safely, as some damage is meant.

Nothing is executed and nothing is repaired by a library: what can be read is read, the rest is said in words.
"""

import json
import re
from dataclasses import dataclass

LARGEST = 20_000_000  # bytes of a notebook
MOST_CELLS = 5_000
MOST_CODE = 1_000_000  # characters
_MOST_PARTS = 2_000_000  # lists and dictionaries in a file
TOO_LARGE = (
    f"the file is larger than {LARGEST // 1_000_000} MB: clear the outputs of the notebook, save it and send it again"
)


class Unreadable(Exception):
    """A file that cannot be read as a notebook; the text tells the student what is wrong with it."""


@dataclass(frozen=True)
class StudentCell:
    """A cell of a student's notebook.

    Parameters
    ----------
    kind : str
        ``"code"``, ``"markdown"`` or ``"raw"``.
    source : str
        With Unix line ends.
    id : str
        Of the cell, or what Colab keeps of it in the metadata; empty where there is none.
    exercise : str
        What the metadata call the exercise, e.g. ``"1.2"``; empty where they do not.
    """

    kind: str
    source: str
    id: str = ""
    exercise: str = ""


class StudentNotebook(list):
    """The cells in order, :class:`StudentCell`; ``notes`` says, for the instructor, what had to be put up with."""

    def __init__(self, cells=(), notes=()):
        super().__init__(cells)
        self.notes = tuple(notes)


def read_notebook(data):
    """The cells of a student's notebook, or of a script that was saved from it.

    Parameters
    ----------
    data : bytes
        The file.

    Returns
    -------
    StudentNotebook

    Raises
    ------
    Unreadable
        Where it is no notebook; whatever the bytes are, nothing else is raised.

    Examples
    --------
    >>> read_notebook(b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": ["x = 1"]}]}')
    [StudentCell(kind='code', source='x = 1', id='', exercise='')]
    >>> read_notebook(b"")
    Traceback (most recent call last):
    utils.course.grading.reading.Unreadable: the file is empty
    """
    if len(data) > LARGEST:
        raise Unreadable(TOO_LARGE)
    text, notes = _decode(data)
    if not text.strip("\0 \t\r\n"):
        raise Unreadable("the file is empty")
    document = _parse(text)
    if document is _NO_JSON:
        cells, notes = _script(text), [*notes, "a script, not a notebook"]
    else:
        cells = _cells(document, notes)
    if len(cells) > MOST_CELLS:
        raise Unreadable(f"the notebook has more than {MOST_CELLS} cells")
    if sum(len(cell.source) for cell in cells if cell.kind == "code") > MOST_CODE:
        raise Unreadable(f"the notebook has more than {MOST_CODE // 1_000_000} MB of code: do its cells hold data?")
    return StudentNotebook(cells, notes)


def _decode(data):
    """The text of a file, and a list with a note where its encoding had to be guessed."""
    try:
        return data.decode(json.detect_encoding(data)), []
    except UnicodeDecodeError:
        return data.decode("latin-1"), ["not in UTF-8: letters beyond ASCII may be wrong"]


_NO_JSON = object()
_MAGIC_NUMBERS = (
    (("PK\x03\x04", "PK\x05\x06"), "a zip archive (or an office document)"),
    (("%PDF",), "a PDF"),
    (("\x89PNG", "\xff\xd8\xff", "GIF8"), "a picture"),
    (("\x1f\x8b", "7z\xbc\xaf", "Rar!", "BZh"), "a compressed archive"),
    (("{\\rtf",), "a text document (RTF)"),
)


def _parse(text):
    """What the JSON holds; `_NO_JSON` where the text is a script."""
    start = text.lstrip("\ufeff\0 \t\r\n")[:200]
    for beginnings, what in _MAGIC_NUMBERS:
        if start.startswith(beginnings):
            raise Unreadable(f"the file is {what}, not a notebook: send the .ipynb file itself")
    if re.match(r"<(!doctype|html|\?xml|head|!--)", start, re.IGNORECASE):
        raise Unreadable(
            "the file is a web page, not a notebook: perhaps the page shown in place of a download, such as a login; "
            "download the .ipynb file itself"
        )
    if start.startswith("version https://git-lfs"):
        raise Unreadable("the file is a pointer of Git LFS: the notebook itself was never uploaded")
    if text.count("[") + text.count("{") > _MOST_PARTS:
        raise Unreadable("the file is no notebook that a person wrote: it holds millions of lists")
    try:
        return json.loads(text, parse_int=_integer)
    except RecursionError:
        raise Unreadable("the file is no notebook that a person wrote: it is nested too deep") from None
    except MemoryError:
        raise Unreadable("the file needs too much memory to be read") from None
    except ValueError as error:
        if start[:1] not in ("{", "[") and _SCRIPT.search(text):
            return _NO_JSON
        raise Unreadable(_damage(text, error)) from None


def _integer(digits):
    """Numbers in a notebook that matter are short; converting a long one takes time that grows with its square."""
    return int(digits) if len(digits) < 20 else 0


def _damage(text, error):
    """Why the text is not JSON, in words."""
    if re.search(r"^(<{7}|>{7})( |$)", text, re.MULTILINE):
        return "the file holds conflict marks of git (<<<<<<<): settle the conflict, or send the notebook you worked in"
    line, position = getattr(error, "lineno", 0), getattr(error, "pos", 0)
    if text.lstrip()[:1] not in ("{", "["):
        return "the file is not a notebook (it is not in the format of .ipynb files)"
    if position >= len(text.rstrip()) - 1 or "Unterminated string" in str(error):
        return "the file is cut off: it ends in the middle of the notebook, as after a broken upload"
    return f"the file is damaged: what stands in its line {line} is not in the format of notebooks"


def _cells(document, notes):
    """The cells of what the JSON holds."""
    if not isinstance(document, dict):
        raise Unreadable("the file is not a notebook (it is JSON, but has no cells)")
    found = document.get("cells")
    if found is None and isinstance(document.get("worksheets"), list):
        notes.append("an old format (version 3)")
        sheets = [sheet.get("cells") for sheet in document["worksheets"] if isinstance(sheet, dict)]
        found = [cell for sheet in sheets if isinstance(sheet, list) for cell in sheet]
    if not isinstance(found, list):
        raise Unreadable("the file is not a notebook (it is JSON, but has no cells)")
    if not found:
        raise Unreadable("the notebook has no cells: it is empty")
    cells = [_cell(cell) for cell in found[: MOST_CELLS + 1] if isinstance(cell, dict)]
    if len(cells) < len(found[: MOST_CELLS + 1]):
        notes.append("some cells are damaged and were left out")
    if not cells:
        raise Unreadable("the notebook is damaged: none of its cells can be read")
    return cells


def _cell(cell):
    kind = cell.get("cell_type")
    if kind not in ("code", "markdown", "raw"):
        kind = "code" if "outputs" in cell or "input" in cell else "markdown"
    source = cell.get("source", cell.get("input", ""))
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    metadata = cell.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    identity = cell["id"] if isinstance(cell.get("id"), str) else metadata.get("id")
    exercise = metadata.get("exercise")
    return StudentCell(
        kind,
        _tidy(source) if isinstance(source, str) else "",
        _tidy(identity) if isinstance(identity, str) else "",
        _tidy(exercise) if isinstance(exercise, str) else "",
    )


def _tidy(text):
    """Text that can be written as UTF-8, with Unix line ends."""
    return text.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace").decode()


# Scripts: Jupytext's and VS Code's `# %%`, nbconvert's `# In[3]:`, and what Colab downloads as .py, which has no marks.
_SCRIPT = re.compile(r"^(# %%|# In\[[ \d]*\]:|# Exercise \d+\.\d+\b|def \w+\()", re.MULTILINE)
_STARTS_CELL = re.compile(r"# %%(?P<options>.*)|# In\[[ \d]*\]:\s*|(?P<marker># Exercise \d+\.\d+\s*)")
_CHECK = re.compile(r"check\(.*\)\s*")


def _script(text):
    """Cells of a script. A line ``# Exercise 1.2`` starts one, a line ``check(…)`` is one."""
    cells, kind, lines = [], "code", []

    def finish(next_kind="code"):
        nonlocal kind, lines
        source = "\n".join(lines).strip("\n")
        if source.strip():
            cells.append(StudentCell(kind, source))
        kind, lines = next_kind, []

    for line in _tidy(text).split("\n"):
        found = _STARTS_CELL.fullmatch(line)
        if found and not (found["marker"] and not any(map(str.strip, lines))):
            finish("markdown" if "[markdown]" in (found["options"] or "") else "code")
        if not found or found["marker"]:
            if _CHECK.fullmatch(line):
                finish()
            lines.append(line)
            if _CHECK.fullmatch(line):
                finish()
    finish()
    return cells
