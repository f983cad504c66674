"""Results made by hand, for the tests of what is written from them."""

import base64
import struct
import zlib
from datetime import UTC, datetime
from html.parser import HTMLParser

from utils.course.grading.submissions import Submission

DUE = datetime(2026, 11, 20, 23, 0, tzinfo=UTC)

# exercise -> title and sub-tests: (name, points, hidden)
LAB = {
    "3.1": ("normalise", [("mean zero", 1, False), ("float32", 1, False)]),
    "3.2": ("softmax", [("sums to one", 2, False), ("large logits", 1, False), ("any batch", 1, True)]),
    "3.10": ("a network", [("parameters", 2, False)]),
}
EXERCISES = [
    {
        "id": name,
        "title": title,
        "max": sum(points for _, points, _ in subtests),
        "subtests": [{"name": n, "max": points, "hidden": hidden} for n, points, hidden in subtests],
    }
    for name, (title, subtests) in LAB.items()
]
MAXIMUM = 8


def exercise(name, failed=(), message="expected 1, got 2", **changes):
    """An exercise of a result in which the sub-tests named in `failed` are not passed."""
    title, subtests = LAB[name]
    judged = [
        {
            "name": n,
            "passed": n not in failed,
            "points": 0 if n in failed else points,
            "max": points,
            "message": message if n in failed else "",
            "hidden": hidden,
        }
        for n, points, hidden in subtests
    ]
    made = {
        "id": name,
        "title": title,
        "state": "not yet" if failed else "correct",
        "reason": "",
        "points": sum(s["points"] for s in judged),
        "max": sum(s["max"] for s in judged),
        "matched": "marker",
        "note": "",
        "source": f"# Exercise {name}\ndef {title.split()[-1]}(x):\n    return x\n",
        "stood_in": bool(failed),
        "subtests": judged,
        "printed": "",
    }
    return made | changes


def cell(exercise=None, outputs=(), **changes):
    made = {"id": "c", "exercise": exercise, "state": "ok", "seconds": 0.1, "error": "", "outputs": list(outputs)}
    return made | changes


def result(student, failed=(), exercises=None, cells=(), **changes):
    """A graded result; `failed` names sub-tests."""
    if exercises is None:
        exercises = [exercise(name, [n for n, _, _ in tests if n in failed]) for name, (_, tests) in LAB.items()]
    made = {
        "schema": 1,
        "student": student,
        "file": f"{student}/03_first_cnn.ipynb",
        "lab": "03",
        "status": "graded",
        "reason": "",
        "notes": [],
        "points": sum(e["points"] for e in exercises),
        "max": MAXIMUM,
        "isolation": "bwrap",
        "kernel": "forked",
        "seconds": 1.9,
        "runs": 1,
        "exercises": exercises,
        "cells": list(cells),
        "flags": [],
    }
    return made | changes


def without(student, status, reason=""):
    """A result of a notebook that was not graded."""
    return result(student, exercises=[], status=status, reason=reason, isolation="", kernel="", seconds=0.0, runs=0)


def submission(student, submitted=DUE, **changes):
    made = {"student": student, "file": f"{student}/03_first_cnn.ipynb", "data": b"{}", "submitted": submitted}
    return Submission(**(made | changes))


def png(width=2, height=2):
    """A grey picture, as base64."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + b"\x80" * width for _ in range(height)))
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return base64.b64encode(data).decode()


def picture_output(data=None, kind="image/png"):
    data = png() if data is None else data
    return {"output_type": "display_data", "data": {kind: data, "text/plain": "<Figure>"}, "metadata": {}}


class Page(HTMLParser):
    """A page as a browser takes it: its elements, its text, and whether every tag is closed.

    ``tags`` is a list of (name, attributes), ``text`` what is read, ``styles`` and ``scripts`` what is not.
    """

    VOID = frozenset(("meta", "img", "br", "rect", "line"))

    def __init__(self, page):
        super().__init__()
        self.tags, self.open, self.text, self.styles, self.scripts = [], [], "", "", ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        if tag in ("td", "th", "dt"):
            self.text += " "

    def handle_data(self, data):
        if "style" in self.open:
            self.styles += data
        elif "script" in self.open:
            self.scripts += data
        else:
            self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    def assert_harmless(self):
        """Nothing is loaded, nothing runs but the page's own script, no address leads outside."""
        names = {name for name, _ in self.tags}
        assert not names & {"iframe", "object", "embed", "link", "base", "form", "input", "video", "audio", "math"}
        for name, attributes in self.tags:
            for key, value in attributes.items():
                assert not key.startswith("on"), (name, key)
                if key in ("src", "href", "srcset", "xlink:href", "action", "poster", "background"):
                    assert value.startswith(("data:image/png;base64,", "data:image/jpeg;base64,", "#", "feedback/"))
        assert "url(" not in self.styles and "@import" not in self.styles
        (policy,) = [m["content"] for m in self.all("meta") if m.get("http-equiv") == "Content-Security-Policy"]
        assert policy.startswith("default-src 'none';")
