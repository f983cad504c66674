"""The repository as a whole: derived files are up to date, one address everywhere, and nothing banned in a source."""

import json
import re
import shutil

import pytest

from tests.bans import MACHINE_PATH, offences
from utils.course import build as building
from utils.course.badge import PAGES, move
from utils.course.layout import load_course
from utils.course.readme import update_readme
from utils.course.source import find_sources, read_cells
from utils.course.template import COLAB_LINK, colab_link
from utils.files import ROOT

COUNTER_EXAMPLE = "counter-example"
LABS = find_sources()
NOTEBOOKS = sorted([*ROOT.glob("labs/*.ipynb"), *ROOT.glob("solutions/*.ipynb")])
SOURCES = [path for folder in ("utils", "tests", "solutions") for path in sorted((ROOT / folder).rglob("*.py"))]
TEXTS = [
    *sorted(ROOT.glob("*.md")),
    *sorted(ROOT.glob("data/*.md")),
    *sorted(ROOT.glob("utils/course/skeleton/*")),
    ROOT / "Makefile",
    ROOT / "pyproject.toml",
    *sorted(ROOT.glob("requirements*.txt")),
]


def name(path):
    return path.relative_to(ROOT).as_posix()


def without_counter_examples(path):
    """A lab's source without the cells that show a mistake on purpose, its lines where they were."""
    lines = path.read_text(encoding="utf-8").splitlines()
    for cell in read_cells(path):
        if COUNTER_EXAMPLE in cell.tags:
            start = cell.line - 1
            lines[start : start + len(cell.text.splitlines())] = [""] * len(cell.text.splitlines())
    return "\n".join(lines)


def cells(path):
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.name)
def test_the_notebooks_are_what_the_source_gives(lab):
    differences = building.check(load_course(), [lab.number])
    assert not differences, "\n\n".join(differences)


def test_there_is_no_notebook_without_a_source():
    assert {path.stem for path in NOTEBOOKS} == {lab.name for lab in LABS}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_a_notebook_is_of_moderate_size(path):
    building.check_size(path, path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", [path for path in NOTEBOOKS if path.parent.name == "labs"], ids=name)
def test_a_students_notebook_has_no_outputs(path):
    for cell in cells(path):
        assert not cell.get("outputs"), cell["id"]
        assert cell.get("execution_count") is None, cell["id"]


@pytest.mark.parametrize("path", [path for path in NOTEBOOKS if path.parent.name == "solutions"], ids=name)
def test_stored_outputs_name_no_path_of_a_machine(path):
    for cell in cells(path):
        text = "\n".join(map(building.output_text, cell.get("outputs", ())))
        assert not re.search(MACHINE_PATH, text), f"{cell['id']}\n{text}"
        assert "\r" not in text, cell["id"]


# One address


@pytest.mark.parametrize("path", [path for path in (ROOT / page for page in PAGES) if path.exists()], ids=name)
def test_a_page_has_no_address_but_the_courses(path):
    course = load_course()
    text = path.read_text(encoding="utf-8")
    names = {lab.name for lab in LABS}
    for link in COLAB_LINK.findall(text):
        lab = link.rpartition("/")[2].removesuffix(".ipynb")
        assert lab in names, f"{link} opens no lab"
        assert link == colab_link(course, lab)
    repository = course.slug.partition("/")[2]
    for address in re.findall(rf"https://github\.com/[\w.-]+/{re.escape(repository)}(?![\w-])", text):
        assert address == course.address


def test_the_readme_has_a_badge_for_each_lab():
    links = COLAB_LINK.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    assert sorted(links) == sorted(colab_link(load_course(), lab.name) for lab in LABS)


def test_the_whole_course_moves_to_a_fork_and_back(tmp_path):
    for part in ("labs", "solutions", "utils", "data/expected.json", "pyproject.toml", *PAGES):
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
        elif (ROOT / part).exists():
            (tmp_path / part).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / part, tmp_path / part)

    def files():
        return {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    before, home = files(), load_course(tmp_path)
    problems = building.check(home)
    move(home, "https://github.com/someone-else/a-fork", "v9.9", say=str)
    moved = load_course(tmp_path)
    assert set(building.check(moved)) <= set(problems)
    assert update_readme(moved, check=True)
    assert not [path for path, text in files().items() if home.slug.encode() in text]
    move(moved, home.address, home.revision, say=str)
    assert [path for path, text in files().items() if text != before.get(path)] == []


# Bans


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_a_source_holds_nothing_banned(path):
    if path.name == "bans.py" or path == ROOT / "tests" / "test_repository.py":
        return  # these two name what is banned
    tests = path.is_relative_to(ROOT / "tests")
    lab = path.is_relative_to(ROOT / "solutions")
    wrong = path.is_relative_to(ROOT / "tests" / "wrong_answers")  # made of mistakes
    text = without_counter_examples(path) if lab else path.read_text(encoding="utf-8")
    found = offences(text, python=not wrong, lab=lab, paths=not tests)
    advice = f'\n(a cell with tags=["{COUNTER_EXAMPLE}"] may show a mistake)' if lab else ""
    assert not found, "\n".join(f"{name(path)}:{line}: {message}" for line, message in found) + advice


@pytest.mark.parametrize("path", TEXTS, ids=name)
def test_a_text_holds_nothing_banned(path):
    found = offences(path.read_text(encoding="utf-8"), python=False)
    assert not found, "\n".join(f"{name(path)}:{line}: {message}" for line, message in found)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import keras\nx = keras.layers.Conv2D(32, 6, 6)", "stride is given by position"),
        ("Conv2D(32, (3, 3), (1, 1), padding='same')", "stride is given by position"),
        ("layers.DepthwiseConv2D(3, 2)", "stride is given by position"),
        ("keras.layers.SeparableConv2D(8, 3, 1)", "stride is given by position"),
        ("from keras.preprocessing.image import ImageDataGenerator", "image_dataset_from_directory"),
        ("model.fit_generator(data)", "use fit"),
        ("model.predict_classes(x)", "use predict and argmax"),
        ("model.save('best.h5')", "models are kept as .keras"),
        ("ModelCheckpoint(filepath='a/b.hdf5')", "models are kept as .keras"),
        ("keras.models.load_model(folder / 'b.h5')", "models are kept as .keras"),
        ("from keras.utils import np_utils", "to_categorical"),
        ("keras.backend.mean(x)", "use keras.ops"),
        ("from keras import backend as K\nfrom keras.backend import mean", "use keras.ops"),
        ("from tensorflow import keras", "import keras"),
        ("from tensorflow.keras import layers", "import keras"),
        ("import tensorflow.keras as keras", "import keras"),
        ("x = tf.keras.Input((3,))", "import keras"),
        ("keras.optimizers.legacy.Adam()", "use keras.optimizers"),
        ("keras.optimizers.Adam(lr=0.1)", "use learning_rate"),
        ("Adam(0.1, decay=1e-6)", "use learning_rate"),
        ("model.fit(x, y, nb_epoch=3)", "use epochs"),
        ("model.fit(x, y, workers=3)", "belongs to the data set"),
        ("Conv2D(3, 3, border_mode='same')", "use padding"),
        ("Dense(3, input_shape=(4,))", "start with keras.Input"),
        ("history.history['val_acc']", "the metric is called accuracy"),
        ("import tensorflow as tf", "TensorFlow is for utils"),
        ("from tensorflow import data", "TensorFlow is for utils"),
        ("x = tf.data.Dataset", "TensorFlow is for utils"),
        ("open('/home/me/x.npz')", "an absolute path"),
        ("folder = '/content/drive'", "an absolute path"),
        (r"folder = 'C:\\data'", "an absolute path"),
        ("# see http://example.org", "plain http"),
        ("from google.colab import drive\ndrive.mount('x')", "a Drive mount"),
        ("# !pip install -U keras", "an upgrade"),
        ("# %pip install --quiet --upgrade keras", "an upgrade"),
        ("# %load_ext autoreload\n# %autoreload 2", "autoreload"),
    ],
)
def test_what_is_banned_is_found(text, message):
    found = offences(text, lab=True)
    assert any(message in said for _, said in found), found
    assert found[-1][0] <= text.count("\n") + 1


@pytest.mark.parametrize(
    "text",
    [
        "keras.layers.Conv2D(32, 6, strides=2, padding='same')(x)",
        "keras.layers.Conv2D(32, 6)",
        "keras.layers.DepthwiseConv2D(3)",
        "model.save('best.keras'); model.save_weights('best.weights.h5')",
        "keras.backend.backend()",
        "from keras import backend",
        "keras.optimizers.Adam(learning_rate=0.1)",
        "server = 'http://127.0.0.1:8000/x'",
        "place = 'data/home/x'; address = 'https://example.org/home/x'; ratio = a /tmp",
        "# !pip install galsim",
        "f(lr=1); g(decay=2); Pool(workers=2)",
        "history['val_accuracy']; url = 'https://example.org/galaxies.h5'",
        "classifier.predict_proba(x)",
    ],
)
def test_what_is_right_is_not_banned(text):
    assert offences(text, lab=True) == []


def test_a_counter_example_may_show_a_mistake(tmp_path):
    path = tmp_path / "03_x.py"
    path.write_text('# %% tags=["counter-example"]\nConv2D(1, 2, 3)\n\n# %%\nConv2D(1, 2, 3)\n')
    assert [line for line, _ in offences(without_counter_examples(path))] == [5]


def test_the_line_of_an_offence_is_named():
    assert offences("import keras\n\nkeras.layers.Conv2D(1, 2, 3)\n# http://x\n") == [
        (3, "Conv2D: its stride is given by position, write strides=..."),
        (4, "'http://': plain http: write https"),
    ]
