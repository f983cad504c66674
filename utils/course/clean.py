"""Outputs as they are stored: without the machine, the moment, and the progress of a run."""

import base64
import datetime
import io
import re
import sys
import sysconfig
import tempfile
from pathlib import Path

from PIL import Image

LARGE_PICTURE = 150_000  # characters of an encoded picture
_NOISE = re.compile(
    r"^(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IWEF] |[IWEF]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ |[IWEF]0000 00:00:)"
    r"|^WARNING: All log messages before absl::InitializeLog"
    r"|^(?:To enable the following instructions|TF-TRT Warning|Skipping registering GPU devices)"
)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_CONTROL = re.compile(r"(\x1b\[(\d*)([A-HJK]))|([\r\n\b])|([^\r\n\b\x1b]+)|\x1b")
_ADDRESS = re.compile(r"\b(at|object) 0x[0-9a-fA-F]{6,}")
_PICTURES = ("image/png", "image/jpeg", "image/gif", "application/pdf")
_WIDGET = "application/vnd.jupyter.widget-view+json"


class Cleaner:
    """Cleans the outputs of a run in `root`.

    Parameters
    ----------
    root : pathlib.Path
        The course: paths in it are shown relative to it.
    temporary : pathlib.Path or None
        A folder of the run's own.
    now : datetime.datetime or None
        When the run was; time stamps of that day and the day before are taken out.
    """

    def __init__(self, root, temporary=None, now=None):
        places = {temporary: "…", tempfile.gettempdir(): "…", Path.home(): "~", sys.prefix: "…", sys.base_prefix: "…"}
        for name in ("stdlib", "purelib", "platlib"):
            folder = Path(sysconfig.get_path(name))
            places[folder] = f"…/{folder.name}"
        places[root] = ""
        self._paths = _path_patterns({Path(p): short for p, short in places.items() if p})
        now = now or datetime.datetime.now(datetime.UTC)
        days = "|".join(sorted({(now - datetime.timedelta(d)).strftime("%Y-%m-%d") for d in (-1, 0, 1)}))
        self._moment = re.compile(rf"(?:{days})[ T]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?")

    def outputs(self, outputs):
        """Cleaned copies of a cell's outputs (list of dict in Jupyter's format, texts whole)."""
        cleaned = []
        for output in outputs:
            output = {key: value for key, value in output.items() if key != "transient"}
            kind = output["output_type"]
            if kind == "stream":
                previous = cleaned[-1] if cleaned else {}
                if previous.get("name") == output["name"] and previous["output_type"] == "stream":
                    previous["text"] += output["text"]
                else:
                    cleaned.append(output)
            elif kind == "error":
                cleaned.append(output | {"traceback": [self.text(line) for line in output["traceback"]]})
            elif _WIDGET not in output.get("data", {}):
                data = {kind: self._data(kind, value) for kind, value in output["data"].items()}
                cleaned.append(output | {"data": smaller_picture(data)})
        for output in cleaned:
            if output["output_type"] == "stream":
                output["text"] = self.text(settle(output["text"], noise=output["name"] == "stderr"))
        return [output for output in cleaned if output.get("text", "…")]

    def _data(self, kind, value):
        return self.text(value) if isinstance(value, str) and kind not in _PICTURES else value

    def text(self, text):
        """`text` with paths shortened, and without time stamps and memory addresses."""
        for pattern, short in self._paths:
            text = pattern.sub(lambda found, short=short: _shorten(found, short), text)
        return _ADDRESS.sub(r"\1 0x…", self._moment.sub("…", text))


def smaller_picture(data):
    """A large PNG as JPEG: photographs of the sky, full of noise, are a fifth of the size.

    Parameters
    ----------
    data : dict
        Of an output: MIME type -> value.
    """
    png = data.get("image/png", "")
    if len(png) < LARGE_PICTURE:
        return data
    jpeg = io.BytesIO()
    with Image.open(io.BytesIO(base64.b64decode(png))) as picture:
        picture.convert("RGB").save(jpeg, "JPEG", quality=88, optimize=True)
    encoded = base64.b64encode(jpeg.getvalue()).decode("ascii")
    if len(encoded) > len(png) / 2:
        return data
    return {kind: value for kind, value in data.items() if kind != "image/png"} | {"image/jpeg": encoded}


def _path_patterns(places):
    """(pattern, short form) of each folder, the longest first, as itself, resolved, and in Windows' spellings."""
    spelt = {}
    for folder, short in places.items():
        for path in {folder, folder.resolve()}:
            for text in {str(path), path.as_posix(), str(path).replace("\\", "\\\\")}:
                if len(text) > 2:
                    spelt.setdefault(text, short)
    patterns = [(re.compile(r"(?<![^\s\"'(<>])[^\s\"'(<>]*ipykernel_\d+[/\\]+\d+\.py"), "<cell>")]
    for text in sorted(spelt, key=len, reverse=True):
        patterns.append((re.compile(rf"(?<![\w.~-]){re.escape(text)}([/\\]+|(?![\w-]))"), spelt[text]))
    return patterns


def _shorten(found, short):
    """What stands in place of a folder: its short form and a slash, or nothing before what is inside the course."""
    if not found.re.groups:
        return short
    if not short:
        return "" if found[1] else "."
    return f"{short}/" if found[1] else short


def settle(text, noise=False):
    """What a terminal shows in the end: carriage returns, backspaces and cursor movements carried out.

    Parameters
    ----------
    text : str
        What a program printed.
    noise : bool
        Take out the lines that TensorFlow logs when it starts.

    Examples
    --------
    >>> settle("10 %\\r50 %\\r100 %\\ndone\\n")
    '100 %\\ndone\\n'
    """
    text = _COLOUR.sub("", text)
    if re.search(r"[\r\b\x1b]", text):
        text = _terminal(text.replace("\r\n", "\n"))
    if noise:
        text = "".join(line for line in text.splitlines(keepends=True) if not _NOISE.search(line))
    return text


def _terminal(text):
    rows, row, column = [""], 0, 0
    for control, count, letter, character, plain in (found[:5] for found in _CONTROL.findall(text)):
        if plain:
            line = rows[row].ljust(column)
            rows[row] = line[:column] + plain + line[column + len(plain) :]
            column += len(plain)
        elif character == "\n":
            row, column = row + 1, 0
            if row == len(rows):
                rows.append("")
        elif character == "\r":
            column = 0
        elif character == "\b":
            column = max(0, column - 1)
        elif control and letter == "A":
            row = max(0, row - int(count or 1))
        elif control and letter == "B":
            row = min(len(rows) - 1, row + int(count or 1))
        elif control and letter == "K":
            rows[row] = "" if count == "2" else rows[row][:column]
    ended = text.endswith("\n")
    rows = [line.rstrip() for line in rows]
    while len(rows) > 1 and not rows[-1]:
        rows.pop()
    return "\n".join(rows) + ("\n" if ended or len(rows) < row + 1 else "") if any(rows) else ""
