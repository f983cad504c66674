"""What is flagged in answers, and what is not."""

import itertools
import json
import textwrap
import time

import pytest

from tests.grading_results import exercise, result, without
from utils.course.grading.flags import review_flags
from utils.course.grading.likeness import LEAST, alike, likeness, normal_form
from utils.course.grading.syntax import LONGEST
from utils.course.grading.usage import uses
from utils.files import ROOT

IMPORTS = """
import os
import subprocess
import sys
from pathlib import Path
import numpy as np
import scipy
import skimage
import keras
from keras import layers
from skimage.feature import hog
from utils.checks import check, hint, reference, solution
"""
FORBIDDEN = ("skimage.feature.hog", "scipy.signal.convolve2d", "keras.ops.softmax", "sklearn")


def found(source, forbidden=FORBIDDEN, imports=IMPORTS):
    return {(use.kind, use.what) for use in uses(textwrap.dedent(source), imports, forbidden)}


def kinds(source):
    return {kind for kind, _ in found(source)}


# Shortcuts

HOG = "skimage.feature.hog"


@pytest.mark.parametrize(
    "source",
    [
        "hog(image)",
        "def f(x):\n    return hog(x)",
        "def f(x, g=hog):\n    return g(x)",
        "skimage.feature.hog(image)",
        "skimage.feature._hog.hog(image)",
        "f = skimage.feature\nf.hog(image)",
        "import skimage.feature as f\nf.hog(image)",
        "from skimage import feature\nfeature.hog(image)",
        "from skimage.feature import hog as h",
        "from skimage.feature import *\nf = hog(image)",
        "from skimage.feature._hog import hog as mine\nmine(image)",
        "getattr(skimage.feature, 'hog')(image)",
        "getattr(getattr(skimage, 'feature'), 'h' + 'og')(image)",
        "getattr(skimage.feature, f'hog')(image)",
        "__import__('skimage.feature').feature.hog(image)",
        "__import__('skimage.feature', fromlist=['hog']).hog(image)",
        "import importlib\nimportlib.import_module('skimage.feature').hog(image)",
        "from importlib import import_module as load\nload('skimage.feature').hog(image)",
        "sys.modules['skimage.feature'].hog(image)",
        "skimage.feature.__dict__['hog'](image)",
        "vars(skimage.feature)['hog'](image)",
        "globals()['hog'](image)",
        "from operator import attrgetter\nattrgetter('hog')(skimage.feature)(image)",
        "f = g = hog\ng(image)",
        "a, b = hog, 1\na(image)",
        "(h := hog)(image)",
        "h = hog if True else None\nh(image)",
        "h = None or hog\nh(image)",
        "def f(x):\n    return later(x)\nlater = skimage.feature.hog",
        "def f():\n    def g():\n        return hog\n    return g()",
        "f = lambda x: hog(x)",
        "[hog(x) for x in y]",
        "{k: hog for k in y}",
        "class A:\n    f = hog",
        "class A:\n    def f(self):\n        return hog(self)",
        "@hog\ndef f(): pass",
        "try:\n    pass\nexcept ValueError:\n    hog(1)",
        "with open('x') as f:\n    hog(f)",
        "match hog:\n    case 1:\n        pass",
        "if x:\n    h = hog\nelse:\n    h = len\nh(image)",
        "f = skimage.feature\nif x:\n    f = np\nf.hog(image)",
        "hog.__wrapped__(image)",
        "print(f'{hog(image)}')",
        "x = [*hog(image)]",
        "map(hog, images)",
        "for i in hog(image): pass",
        "return_ = lambda: (yield hog)",
        "async def f():\n    await hog(1)",
        "x[hog(1)] = 2",
        "x: int = hog(1)",
        "assert hog(1)",
        "del x[hog(1)]",
    ],
)
def test_a_shortcut_is_found_however_it_is_written(source):
    assert ("shortcut", HOG) in found(source)


@pytest.mark.parametrize(
    "source",
    [
        "def hog(x):\n    return x\nhog(1)",
        "def f(hog):\n    return hog(1)",
        "def f(x):\n    hog = x + 1\n    return hog",
        "[hog for hog in y]",
        "lambda hog: hog",
        "class A:\n    def hog(self): pass\nA().hog()",
        "x.feature.hog(image)",
        "skimage.feature.hogs(image)",
        "'hog'",
        "# hog(image)",
        "np.hog",
        "keras.ops.softmax_(x)",
        "f(hog=1)",
    ],
)
def test_a_name_that_means_something_else_is_no_shortcut(source):
    assert "shortcut" not in kinds(source)


def test_a_whole_module_can_be_forbidden():
    assert ("shortcut", "sklearn") in found("from sklearn.svm import LinearSVC")
    assert ("shortcut", "sklearn") in found("import sklearn.decomposition as d\nd.PCA(3)")
    assert ("shortcut", "keras.ops.softmax") in found("from keras import ops\nops.softmax(x)")
    assert ("shortcut", "scipy.signal.convolve2d") in found("scipy.signal.convolve2d(a, b)")


def test_without_the_imports_cell_its_names_mean_nothing():
    assert found("hog(image)", imports="") == set()


# What reaches outside


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("get_ipython().input_transformers_cleanup", "IPython.get_ipython"),
        ("import builtins\nbuiltins.print = f", "builtins"),
        ("__builtins__['print']", "builtins"),
        ("os.environ", "os.environ"),
        ("import os.path as p\np.exists('x')", "os.path.exists"),
        ("from subprocess import run\nrun('x')", "subprocess.run"),
        ("import ctypes", "ctypes"),
        ("import gc\ngc.get_objects()", "gc.get_objects"),
        ("import inspect\ninspect.stack()", "inspect.stack"),
        ("sys._getframe()", "_getframe"),
        ("open('labs/x')", "open"),
        ("from io import open as o\no('x')", "io.open"),
        ("Path('x').read_text()", "pathlib.Path"),
        ("eval('1')", "eval"),
        ("exec('1')", "exec"),
        ("f = eval\nf('1')", "eval"),
        ("getattr(x, name)", "getattr with a computed name"),
        ("().__class__.__base__.__subclasses__()", "__subclasses__"),
        ("getattr((), '__class__')", "__class__"),
        ("try:\n    1 / 0\nexcept Exception as e:\n    e.__traceback__.tb_frame.f_back", "f_back"),
        ("f.__globals__", "__globals__"),
        ("setattr(np, 'sum', f)", "setattr"),
        ("np.os.system('x')", "numpy.os.system"),
        ("np.load('x.npy')", "numpy.load"),
        ("class A:\n    def __eq__(self, other):\n        return True", "defines __eq__"),
        ("import threading", "threading"),
        ("import socket", "socket"),
    ],
)
def test_what_reaches_outside_is_found(source, what):
    assert ("introspection", what) in found(source)


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("f = reference('1.1')", "reference()"),
        ("from utils.checks import solution as s\ns('1.1')", "solution()"),
        ("import utils.checks.lab01", None),
        ("from utils.checks.lab01 import Gradients\nGradients()", "utils.checks.lab01.Gradients"),
    ],
)
def test_use_of_the_checks_is_found(source, what):
    names = {w for kind, w in found(source) if kind == "reference"}
    assert what in names if what else found(source + "\nutils.checks.lab01.x")


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("np.clip = lambda *a: 1", "changes numpy.clip"),
        ("keras.layers.Dense.call = f", "changes keras.layers.Dense.call"),
        ("del np.sum", "changes numpy.sum"),
        ("def check(*a): pass", "gives another meaning to `check`, which the notebook has imported"),
        ("np = 3", "gives another meaning to `np`, which the notebook has imported"),
    ],
)
def test_changes_to_what_others_rely_on_are_found(source, what):
    assert ("patch", what) in found(source)


def test_the_same_import_again_changes_nothing():
    assert found("import numpy as np\nfrom keras import layers\nnp.sum(layers)") == set()


@pytest.mark.parametrize(
    ("source", "magic"),
    [("%%bash\nls", "%%bash"), ("x = 1\n!ls", "!ls"), ("%matplotlib inline\nx = 1", "%matplotlib"), ("a = !ls", "!")],
)
def test_magics_are_found(source, magic):
    assert ("magic", magic) in found(source) or any(magic in what for _, what in found(source))


def test_code_behind_a_magic_is_read():
    assert ("introspection", "os.environ") in found("%time\nos.environ")
    assert found("x = (a\n     % b)") == set()


@pytest.mark.parametrize(
    "source",
    [
        "def f(:",
        "x = '\ud800'",
        "\x00",
        "(" * 5000,
        "x = " + "-" * 50_000 + "1",
        "a" + ".b" * 30_000,
        "a" + "[0]" * 5_000,
        "x = 0x" + "f" * 50_000 + "\n1 +",
        "x" * (LONGEST + 1),
        "if 1:\n" * 1 + "".join(" " * i + "if 1:\n" for i in range(1, 99)) + " " * 99 + "x",
        "\n" * 99_000 + "(",
        " " * 99_000 + "(",
        "x, " * 33_000 + "(",
    ],
    ids=range(13),
)
def test_no_source_brings_the_reader_down(source):
    begin = time.process_time()
    assert kinds(source) <= {"unparsable"}
    assert time.process_time() - begin < 5  # a pattern that tries every two places of a long blank takes minutes
    normal_form(source)
    exercises = [exercise("3.1", source=source)]
    review_flags([result("ada", exercises=exercises), result("bob", exercises=exercises)])


def test_a_very_large_number_does_no_harm():
    assert normal_form("x = 0x" + "f" * 50_000) is None


@pytest.mark.parametrize("lab", ["00_start_here", "01_hog_features", "03_first_cnn"])
def test_no_published_solution_and_no_untouched_cell_is_flagged(lab):
    for folder in ("solutions", "labs"):
        cells = json.loads((ROOT / folder / f"{lab}.ipynb").read_text(encoding="utf-8"))["cells"]
        imports = "\n".join("".join(cell["source"]) for cell in cells if cell["id"] in ("setup", "imports"))
        answers = ["".join(cell["source"]) for cell in cells if cell["metadata"].get("exercise")]
        assert answers
        assert [uses(answer, imports) for answer in answers if uses(answer, imports)] == []


# Answers that are alike

LONG = '''
def cell_sums(votes, cell_size=8):
    """Sums in cells."""
    height, width, bins = votes.shape
    rows = height // cell_size
    columns = width // cell_size
    result = np.zeros((rows, columns, bins))
    for r in range(rows):
        for c in range(columns):
            cell = votes[r * cell_size : (r + 1) * cell_size, c * cell_size : (c + 1) * cell_size]
            result[r, c] = cell.sum(axis=(0, 1))
    return result
'''
RENAMED = """
from numpy import zeros
def cell_sums(v, k: int = 8):
    # my own work!
    h, w, n = v.shape
    ny = h // k
    nx = w // k

    out = zeros((ny, nx, n))
    print("shape", out.shape)
    for i in range(ny):
        for j in range(nx):
            block = v[i * k : (i + 1) * k, j * k : (j + 1) * k]
            out[i, j] = block.sum(axis=(0, 1))
    return out
"""
DISGUISED = RENAMED.replace("ny = h // k\n    nx = w // k", "nx = w // k\n    ny = h // k").replace(
    "out[i, j] = block.sum(axis=(0, 1))", "total = block.sum(axis=(0, 1))\n            out[i, j] = total"
)
APART = [
    """
    def cell_sums(votes, cell_size=8):
        rows, cols = votes.shape[0] // cell_size, votes.shape[1] // cell_size
        v = votes[:rows * cell_size, :cols * cell_size, :]
        v = v.reshape(rows, cell_size, cols, cell_size, votes.shape[2])
        return v.sum(axis=3).sum(axis=1)
    """,
    """
    def cell_sums(votes, cell_size=8):
        n_rows = votes.shape[0] // cell_size
        n_cols = votes.shape[1] // cell_size
        hist = np.zeros((n_rows, n_cols, votes.shape[2]))
        for y in range(n_rows):
            for x in range(n_cols):
                y0 = y * cell_size
                x0 = x * cell_size
                for k in range(votes.shape[2]):
                    hist[y, x, k] = np.sum(votes[y0:y0 + cell_size, x0:x0 + cell_size, k])
        return hist
    """,
    """
    def cell_sums(votes, cell_size=8):
        out = []
        for top in range(0, votes.shape[0] - cell_size + 1, cell_size):
            line = []
            for left in range(0, votes.shape[1] - cell_size + 1, cell_size):
                piece = votes[top:top + cell_size, left:left + cell_size]
                line.append(piece.reshape(-1, votes.shape[-1]).sum(axis=0))
            out.append(line)
        return np.array(out)
    """,
]
SHORT = "def dense_parameters(n, m):\n    return n * m + m\n"
NUMPY = "import numpy as np"


def test_names_layout_comments_and_imports_do_not_make_a_difference():
    one, two = normal_form(LONG, NUMPY), normal_form(RENAMED, NUMPY)
    assert one == two
    assert normal_form("x = 2.0", "") == normal_form('"""text"""\ny = 2', "")
    assert normal_form("x = 2", "") != normal_form("x = 3", "")
    assert normal_form("np.sum(x)", NUMPY) != normal_form("np.max(x)", NUMPY)
    assert normal_form("# nothing\nimport os\n'docstring'") is None


def test_copies_are_grouped_and_answers_made_apart_are_not():
    answers = {f"s{i}": textwrap.dedent(source) for i, source in enumerate(APART)}
    groups, published, common = alike(answers | {"ada": LONG, "bob": RENAMED, "eve": DISGUISED}, "1.4", NUMPY)
    (group,) = groups
    assert group.students == ("ada", "bob", "eve")
    assert not group.same and 0.7 <= group.likeness < 1
    assert (published, common) == ([], None)
    (same,) = alike({"ada": LONG, "bob": RENAMED}, "1.4", NUMPY)[0]
    assert same.same and same.likeness == 1


def test_answers_made_apart_are_far_below_the_threshold():
    forms = [normal_form(textwrap.dedent(source), NUMPY) for source in [*APART, LONG]]
    assert max(likeness(a, b) for a, b in itertools.combinations(forms, 2)) < 0.6


def test_what_two_answers_have_in_common_in_half_is_not_enough():
    one, two = LONG + textwrap.dedent(APART[1]), LONG + textwrap.dedent(APART[2])
    assert 0.4 < likeness(normal_form(one, NUMPY), normal_form(two, NUMPY)) < 0.7
    assert alike({"ada": one, "bob": two}, "1.4", NUMPY)[0] == []


def test_short_answers_come_out_the_same_by_themselves():
    assert alike(dict.fromkeys("abcdef", SHORT)) == ([], [], None)
    assert len(normal_form(SHORT).runs) < LEAST < len(normal_form(LONG, NUMPY).runs)


def test_what_the_stub_gives_does_not_count():
    stub = LONG.replace("return result", 'raise NotImplementedError("Exercise 1.4")')
    answers = {"ada": LONG, "bob": RENAMED}
    assert alike(answers, "1.4", NUMPY, stub=stub)[0] == []


def test_what_many_have_written_says_nothing_about_two():
    answers = {f"s{i}": LONG for i in range(12)}
    groups, _, common = alike(answers, "1.4", NUMPY)
    assert groups == [] and len(common.students) == 12
    answers |= {f"other{i}": textwrap.dedent(APART[i % 3]) for i in range(3)}
    assert len(alike(answers, "1.4", NUMPY)[2].students) == 12


def test_the_published_solution_is_recognised():
    groups, published, _ = alike({"ada": RENAMED, "bob": APART[0]}, "1.4", NUMPY, published=LONG)
    assert (groups, published) == ([], ["ada"])
    (group,) = alike({"ada": RENAMED, "bob": LONG}, "1.4", NUMPY, published=LONG)[0]
    assert group.published
    assert alike({"ada": SHORT}, "1.4", NUMPY, published=SHORT)[1] == []


# A class


def answer(student, source, **changes):
    return result(student, exercises=[exercise("3.1", source=source, **changes)])


def test_the_flags_of_a_class():
    results = [
        answer("ada", LONG),
        answer("bob", "# mine" + RENAMED),
        answer("cleo", "import os\nos.environ\nos.environ\n"),
        answer("dora", SHORT, matched="names"),
        answer("eve", "def f(:"),
        answer("finn", "", matched="missing", state="not attempted"),
        answer("gus", LONG, state="not attempted"),
        without("hal", "unreadable") | {"exercises": [exercise("3.1", matched="missing", source="")]},
    ]
    review = review_flags(results, NUMPY, solutions={"3.1": LONG}, forbidden={"3.1": ("numpy.zeros",)})
    said = {student: [(f.kind, f.text, f.lines) for f in flags] for student, flags in review.flags.items()}
    published = ("published", "is the published solution but for names and layout", ())
    assert said["ada"] == [
        ("shortcut", "uses numpy.zeros", (7,)),
        published,
        ("alike", "the same but for names and layout: bob", ()),
    ]
    assert ("shortcut", "uses numpy.zeros", (2, 9)) in said["bob"] and published in said["bob"]
    assert said["cleo"] == [("introspection", "uses os.environ", (2, 3))]
    assert [f.asks for f in review.flags["dora"]] == [False]
    assert said["eve"][0][0] == "unparsable" and "line 1" in said["eve"][0][1]
    assert said["finn"][0][0] == "fallback"
    assert "alike" not in {kind for kind, _, _ in said["gus"]}
    assert "hal" not in said
    assert [group.students for group in review.groups] == [("ada", "bob")]


def test_flags_of_the_grader_are_kept_and_not_said_twice():
    made = answer("ada", "import os\n", matched="names")
    made["flags"] = [
        {"exercise": "3.1", "kind": "introspection", "text": "uses os"},
        {"exercise": None, "kind": "tampered", "text": "sent something odd"},
    ]
    flags = review_flags([made]).flags["ada"]
    assert [(f.exercise, f.kind, f.asks) for f in flags] == [
        ("", "tampered", True),
        ("3.1", "introspection", True),
        ("3.1", "fallback", False),
    ]
    assert flags[1].lines == (1,)


def test_what_the_handed_out_cell_uses_itself_is_no_flag():
    stub = "import os\ndef f(x):\n    os.getcwd()\n    raise NotImplementedError\n"
    made = answer("ada", stub.replace("raise NotImplementedError", "os.listdir()"))
    texts = [flag.text for flag in review_flags([made], stubs={"3.1": stub}).flags["ada"]]
    assert texts == ["uses os.listdir"]
