"""Hand-ins as editors, platforms, browsers and accidents damage them."""

import copy
import io
import json
import random
import zipfile
from pathlib import Path

from tests.corpus.handin import HandIn, expected, ungraded
from tests.corpus.notebooks import answer_cell, handout, to_bytes
from tests.corpus.points import points
from utils.course.notebook import join, split


def damaged(lab):
    """The damaged hand-ins of a class: list of HandIn.

    Parameters
    ----------
    lab : Handout

    Notes
    -----
    The notebook behind all of them has its last exercise open, so that nothing passes for right by chance.
    """
    last, first, second = lab.exercises[-1], lab.exercises[0], lab.exercises[1]
    earned = points(lab.lab.number).full | {last: 0}
    whole = lab.solved({last: None})
    found = []

    def add(name, what, files, lost=()):
        """Can be graded; `lost` are exercises that earn nothing."""
        files = files if isinstance(files, dict) else {lab.file_name: files}
        found.append(HandIn(expected(name, "damaged", what, earned | dict.fromkeys(lost, 0)), files))

    def add_changed(name, what, change, lost=()):
        """The notebook after `change`, which works on it in place or returns another."""
        notebook = copy.deepcopy(whole)
        add(name, what, to_bytes(change(notebook) or notebook), lost)

    def add_ungraded(name, what, files):
        files = {lab.file_name: files} if isinstance(files, bytes) else files
        found.append(HandIn(ungraded(name, what), files))

    text = to_bytes(whole).decode()
    add("bom", "UTF-8 with a byte-order mark", b"\xef\xbb\xbf" + text.encode())
    add("utf-16", "UTF-16", text.encode("utf-16"))
    latin = text.replace("×", "x").replace("−", "-").encode("latin-1", "replace")
    add("latin-1", "Latin-1, as some Windows editors write", latin.replace(b'"cells"', b'"\xe9": 1, "cells"', 1))
    add("windows-lines", "Windows line ends", text.replace("\\n", "\\r\\n").replace("\n", "\r\n").encode())
    add(
        "not-a-number",
        "NaN and Infinity in its metadata",
        text.replace('"nbformat"', '"x": [NaN, -Infinity], "nbformat"', 1).encode(),
    )
    add(
        "huge-number",
        "an integer of a hundred thousand digits",
        text.replace('"nbformat"', f'"x": {"7" * 100_000}, "nbformat"', 1).encode(),
    )

    for name, what, change, lost in _notebook_changes(lab, first, second, last):
        add_changed(name, what, change, lost)

    data = to_bytes(whole)
    add("renamed", "another file name", {"my homework.ipynb": data})
    add("txt-ending", "a browser has added .txt", {f"{lab.file_name}.txt": data})
    add("deep-folder", "many folders down", {f"a/b/c/labs/{lab.file_name}": data})
    add(
        "checkpoints",
        "with Jupyter's checkpoints",
        {lab.file_name: data, f".ipynb_checkpoints/{lab.lab.name}-checkpoint.ipynb": to_bytes(lab.blank)},
    )
    add(
        "two-notebooks",
        "the untouched hand-out beside the own work",
        {lab.file_name: to_bytes(lab.blank), "mine.ipynb": data},
    )
    add("zipped", "an archive", {"hand-in.zip": _zipped({f"work/{lab.file_name}": data})})
    other = handout("03" if lab.lab.number == "01" else "01")
    add("other-lab-too", "another lab beside it", {lab.file_name: data, other.file_name: to_bytes(other.solved())})
    percent = "\n\n".join(
        "# %%\n" + join(cell["source"]) if cell["cell_type"] == "code" else f"# %% [markdown]\n# {cell['id']}"
        for cell in whole["cells"]
    )
    add("script", "saved as a script in percent format", {f"{lab.lab.name}.py": percent.encode()})
    colab = '"""From a notebook."""\n\n' + "\n\n".join(
        join(cell["source"]) for cell in whole["cells"] if cell["cell_type"] == "code"
    )
    add("colab-script", "downloaded from Colab as .py", {f"{lab.lab.name}.py": colab.encode()})

    add_ungraded("empty-file", "no bytes", b"")
    add_ungraded("zeros", "a file of zeros", b"\0" * 5000)
    add_ungraded("cut-off", "a broken upload", data[: len(data) // 2])
    add_ungraded("web-page", "a login page saved as a notebook", b"<!DOCTYPE html>\n<html><body>Log in</body></html>")
    add_ungraded(
        "conflict",
        "conflict marks of git",
        text.replace('"cells": [', '<<<<<<< HEAD\n"cells": [\n=======\n"cells": [\n>>>>>>> work', 1).encode(),
    )
    add_ungraded("nested", "nested a hundred thousand deep", b'{"cells": ' + b"[" * 100_000 + b"]" * 100_000 + b"}")
    add_ungraded("brackets", "millions of lists", b'{"cells": [' + b"[]," * 3_000_000 + b"[]]}")
    add_ungraded("cells-null", "no cells", b'{"cells": null, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}')
    add_ungraded("a-list", "JSON, but no notebook", b"[1, 2, 3]")
    add_ungraded("too-large", "more than 20 MB", data + b" " * 20_000_001)
    add_ungraded(
        "too-many-cells",
        "a hundred thousand cells",
        json.dumps({"cells": [{"cell_type": "code", "source": "1"}] * 100_000}).encode(),
    )
    add_ungraded("random-bytes", "random bytes", random.Random(0).randbytes(50_000))
    add_ungraded("other-lab", "another lab's notebook", {"homework.ipynb": to_bytes(other.solved())})
    add_ungraded("a-pdf", "a PDF alone", {"report.pdf": b"%PDF-1.7 ..."})
    add_ungraded("nothing", "an empty folder", None)
    add_ungraded("broken-zip", "an archive cut off", {"hand-in.zip": _zipped({lab.file_name: data})[:-500]})
    add_ungraded(
        "bomb-zip",
        "an archive that swells to more than 20 MB",
        {"hand-in.zip": _zipped({lab.file_name: b" " * 300_000_000})},
    )
    add_ungraded(
        "zip-in-zip",
        "an archive in an archive",
        {"hand-in.zip": _zipped({"inner.zip": _zipped({lab.file_name: data})})},
    )
    add_ungraded(
        "traversal-zip",
        "an archive with a path that leads out of it",
        {"hand-in.zip": _zipped({f"../right/{lab.file_name}": data})},
    )
    add_ungraded("link", "a link to another student's notebook", {lab.file_name: Path("..") / "right" / lab.file_name})
    return found


def _notebook_changes(lab, first, second, last):
    """(name, what, change, exercises that are lost by it) for each way to damage a notebook."""

    def each(change):
        def change_all(notebook):
            for cell in notebook["cells"]:
                change(cell)

        return change_all

    def without_marks(cell):
        if cell["metadata"].get("exercise"):
            cell["source"] = split(join(cell["source"]).partition("\n")[2])

    def without_ids(cell):
        cell.pop("id", None)

    def without_metadata(cell):
        cell["metadata"] = {}

    def as_colab(notebook):
        notebook["nbformat_minor"] = 0
        for cell in notebook["cells"]:
            cell["metadata"] = {"id": cell.pop("id")}

    def old_format(notebook):
        cells = notebook.pop("cells")
        for cell in cells:
            without_ids(cell)
            if cell["cell_type"] == "code":
                cell["input"], cell["language"] = cell.pop("source"), "python"
                cell["prompt_number"] = cell.pop("execution_count")
        return notebook | {"nbformat": 3, "nbformat_minor": 0, "worksheets": [{"cells": cells, "metadata": {}}]}

    def all_names(notebook):
        for cell in notebook["cells"]:
            without_marks(cell)
            without_metadata(cell)
            without_ids(cell)

    def turned(kind):
        def change(notebook):
            cell = answer_cell(notebook, first)
            cell["cell_type"] = kind
            del cell["outputs"], cell["execution_count"]

        return change

    def deleted(notebook):
        notebook["cells"].remove(answer_cell(notebook, first))

    def emptied(notebook):
        answer_cell(notebook, first)["source"] = []

    def copied(before):
        def change(notebook):
            own = answer_cell(notebook, first)
            stub = {**copy.deepcopy(own), "source": split(lab.stubs[first])}
            notebook["cells"].insert(notebook["cells"].index(own) + (not before), stub)

        return change

    def merged(notebook):
        one, two = answer_cell(notebook, first), answer_cell(notebook, second)
        one["source"] = split(join(one["source"]) + "\n\n" + join(two["source"]))
        notebook["cells"].remove(two)

    def checks_forged(notebook):
        true = {cell["id"]: cell for cell in lab.truth["cells"]}
        for cell in notebook["cells"]:
            if join(cell["source"]).startswith("check("):
                cell["source"], cell["metadata"] = ['print("correct")'], {"tags": ["nbval-skip"]}
                cell["outputs"], cell["execution_count"] = true[cell["id"]]["outputs"], 1

    def checks_deleted(notebook):
        notebook["cells"] = [cell for cell in notebook["cells"] if not join(cell["source"]).startswith("check(")]

    def garbage(notebook):
        code = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": "1 / 0"}
        loop = {**code, "source": "while True:\n    pass"}
        notebook["cells"][3:3] = [
            None,
            7,
            "text",
            [],
            {},
            {"cell_type": "code"},
            code,
            loop,
            {**code, "source": {"a": 1}},
        ]

    def far_outputs(notebook):
        picture = {"output_type": "display_data", "metadata": {}, "data": {"image/png": "A" * 8_000_000}}
        answer_cell(notebook, first)["outputs"] = [picture]

    def other_kernel(notebook):
        notebook["metadata"] = {"kernelspec": {"name": "ir", "language": "R", "display_name": "R"}}

    def lone_surrogate(notebook):
        answer_cell(notebook, first)["source"].append("\n# \ud83d")
        answer_cell(notebook, second)["source"].insert(1, "# caf\u00e9 \u202e \x07 \N{NO-BREAK SPACE}\n")

    same = []
    return [
        ("version-3", "the old format, with worksheets", old_format, same),
        ("version-4-0", "format 4.0, without ids", lambda n: n.update(nbformat_minor=0) or each(without_ids)(n), same),
        ("version-4-99", "a format of the future", lambda n: n.update(nbformat_minor=99), same),
        ("version-5", "a format of the far future", lambda n: n.update(nbformat=5), same),
        ("ids-missing", "no ids", each(without_ids), same),
        ("ids-the-same", "one id for all cells", each(lambda cell: cell.update(id="x")), same),
        ("ids-odd", "ids that are no texts", each(lambda cell: cell.update(id=[1, None])), same),
        ("colab", "as Colab saves it", as_colab, same),
        ("metadata-lost", "no metadata", each(without_metadata), same),
        ("metadata-null", "metadata that are null", each(lambda cell: cell.update(metadata=None)), same),
        ("marks-lost", "no first lines", each(without_marks), same),
        ("names-alone", "neither first lines nor metadata nor ids", all_names, same),
        ("source-text", "sources as one text", each(lambda cell: cell.update(source=join(cell["source"]))), same),
        ("turned-to-markdown", "an answer turned into markdown", turned("markdown"), same),
        ("turned-to-raw", "an answer turned into raw text", turned("raw"), same),
        ("cell-deleted", "an answer's cell deleted", deleted, [first]),
        ("cell-emptied", "an answer's cell emptied", emptied, [first]),
        ("stub-before", "the open cell before the answer", copied(True), same),
        ("stub-behind", "the open cell behind the answer", copied(False), same),
        ("reversed", "the cells in reverse order", lambda n: n["cells"].reverse(), same),
        ("merged", "two answers in one cell", merged, same),
        ("checks-forged", "checks replaced, their outputs forged", checks_forged, same),
        ("checks-deleted", "no checks", checks_deleted, same),
        ("garbage-cells", "cells that are none, that fail, that loop", garbage, same),
        ("large-outputs", "eight megabytes of pictures", far_outputs, same),
        ("other-kernel", "says that it is for R", other_kernel, same),
        ("odd-letters", "half a letter, and marks of direction", lone_surrogate, same),
    ]


def _zipped(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in members.items():
            archive.writestr(path, data)
    return buffer.getvalue()
