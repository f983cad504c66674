"""What the feedback and the report have in common: templates, highlighted code, and outputs that are safe to show.

Everything a page shows comes from strangers. Templates escape whatever they are given, and characters that cannot be
seen are written out; of outputs only text and pictures pass, never HTML or SVG; and each page carries a policy that
forbids it to load anything or to run scripts other than its own.
"""

import base64
import binascii
import functools
import hashlib
from pathlib import Path

import jinja2
from markupsafe import Markup, escape
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from utils.course.grading.wording import count, duration, moment, number, visible

LIGHT, DARK = "default", "github-dark"  # styles of Pygments
CODE = 20_000  # characters of code that are shown
TEXT = 2_000  # characters of an output
PICTURES = 8  # of a cell
PICTURE = 400_000  # bytes of one
ALL_PICTURES = 6_000_000  # bytes of a page
PIXELS = 20_000_000  # of one


@functools.cache
def environment():
    """The templates, which escape everything and show what cannot be seen."""
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: visible(value) if type(value) is str else value,
    )
    templates.filters |= {"number": number, "duration": duration, "moment": moment}
    templates.globals |= {"count": count, "styles": styles}
    return templates


def render(template, **values):
    """A page: the text of a file in HTML."""
    return environment().get_template(template).render(**values)


@functools.cache
def styles(name):
    """A style sheet of the templates, or the colours of code, as it stands in a page."""
    if name == "code":
        light = HtmlFormatter(style=LIGHT).get_style_defs(".code")
        dark = HtmlFormatter(style=DARK).get_style_defs(".code")
        return Markup(f"{light}\n@media screen and (prefers-color-scheme: dark) {{\n{dark}\n}}")
    return Markup((Path(__file__).parent / "templates" / name).read_text(encoding="utf-8"))


def script_hash(text):
    """What a page's policy calls a script that it may run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode()


def code(source, marked=()):
    """Python code with its lines numbered, as HTML.

    Parameters
    ----------
    source : str
    marked : collection of int
        Lines, from 1, that are to stand out.

    Returns
    -------
    markupsafe.Markup
    """
    source = visible(source.replace("\t", "    ").rstrip("\n"), CODE)
    formatter = HtmlFormatter(nowrap=True)
    lines = highlight(source, PythonLexer(stripnl=False, ensurenl=False), formatter).rstrip("\n").split("\n")
    if len(lines) != len(source.split("\n")):  # a line that the highlighter sees in another way
        lines = [str(escape(line)) for line in source.split("\n")]
    shown = "\n".join(
        f'<span class="line{" marked" if n in marked else ""}">{line}</span>' for n, line in enumerate(lines, start=1)
    )
    return Markup(f'<pre class="code"><code>{shown}</code></pre>')


class Outputs:
    """Picks what may be shown of the outputs of a page's cells; counts the pictures of the whole page."""

    def __init__(self):
        self.room = ALL_PICTURES

    def of(self, cell):
        """What a cell has put out.

        Parameters
        ----------
        cell : dict
            Of a result.

        Returns
        -------
        list of dict
            ``{"kind": "text" | "error" | "note", "text": str}`` or ``{"kind": "picture", "uri": str}``
        """
        shown, pictures, left_out = [], 0, 0
        for output in cell.get("outputs") or ():
            if not isinstance(output, dict):
                continue
            data = output.get("data") if isinstance(output.get("data"), dict) else {}
            if output.get("output_type") == "stream":
                shown.append({"kind": "text", "text": _joined(output.get("text"))})
            elif uri := self._picture(data) if pictures < PICTURES else "":
                pictures += 1
                shown.append({"kind": "picture", "uri": uri})
            elif "image/png" in data or "image/jpeg" in data:
                left_out += 1
            elif "text/plain" in data:
                shown.append({"kind": "text", "text": _joined(data["text/plain"])})
        if left_out:
            shown.append(
                {"kind": "note", "text": f"{count(left_out, 'more picture')} not shown: too many, or too large."}
            )
        if cell.get("error"):
            shown.append({"kind": "error", "text": _joined(cell["error"])})
        for part in shown:
            if "text" in part:
                part["text"] = visible(part["text"].strip("\n"), TEXT)
        return [part for part in shown if part.get("text", True)]

    def _picture(self, data):
        """A picture as a data URI, or nothing where it is none, or there is no room for it."""
        for kind in ("image/png", "image/jpeg"):
            if kind in data:
                found = picture(_joined(data[kind]))
                if found and found[1] == kind and len(found[0]) <= self.room:
                    self.room -= len(found[0])
                    return f"data:{kind};base64,{base64.b64encode(found[0]).decode()}"
        return ""


def picture(text):
    """A picture that may be shown, from base64: its bytes and its kind; None where it is broken, or too large."""
    if len(text) > PICTURE * 1.4:
        return None
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    kind, size = _size(data)
    if not kind or len(data) > PICTURE or not 0 < size[0] * size[1] <= PIXELS:
        return None
    return data, kind


def _size(data):
    """Kind of a picture, and its width and height, from its first bytes."""
    if data[:8] == b"\x89PNG\r\n\x1a\n" and data[12:16] == b"IHDR" and len(data) >= 24:
        return "image/png", (int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big"))
    if data[:3] == b"\xff\xd8\xff":
        at = 2
        while at + 9 < len(data) and data[at] == 0xFF:
            if 0xC0 <= data[at + 1] <= 0xCF and data[at + 1] not in {0xC4, 0xC8, 0xCC}:
                height, width = (
                    int.from_bytes(data[at + 5 : at + 7], "big"),
                    int.from_bytes(data[at + 7 : at + 9], "big"),
                )
                return "image/jpeg", (width, height)
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return "", (0, 0)


def _joined(text):
    """A text as notebooks store it: whole, or as a list of lines."""
    if isinstance(text, list):
        return "".join(part for part in text if isinstance(part, str))
    return text if isinstance(text, str) else ""
