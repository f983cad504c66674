"""Starting a lab: packages, seeds, quietness, and names that wait for an open exercise."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from utils import lab, stopped
from utils.files import ROOT, replacing, write_text


def python(code, **environment):
    """Run `code` in a fresh Python at the root of the course; returns (exit code, stdout, stderr)."""
    env = {
        k: v for k, v in os.environ.items() if not k.startswith(("COURSE_", "TF_", "KERAS_", "COLAB_"))
    } | environment
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def test_the_top_of_lab_imports_the_standard_library_alone():
    code, out, err = python(
        "import sys; import utils.lab; loaded = {m.split('.')[0] for m in sys.modules}; "
        "print(sorted(loaded & {'numpy', 'keras', 'tensorflow', 'matplotlib', 'IPython'}))"
    )
    assert (code, out, err) == (0, "[]\n", "")


def test_start_prints_one_line_and_seeds_everything():
    draw = "import random, numpy, keras; print(random.random(), numpy.random.rand(), float(keras.random.uniform(())))"
    program = f"from utils import lab; lab.start('03'); {draw}; print(lab.seed, lab.number)"
    code, first, err = python(program, COURSE_SEED="5")
    assert (code, err) == (0, "")
    lines = first.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("Lab 03 · Python 3.")
    assert lines[0].endswith("seed 5")
    assert lines[2] == "5 03"
    assert python(program, COURSE_SEED="5")[1] == first


@pytest.mark.parametrize("seed", ["-1", "one", "4294967296", "1.5"])
def test_a_bad_seed_gets_a_clear_error(seed, monkeypatch):
    monkeypatch.setenv("COURSE_SEED", seed)
    with pytest.raises(ValueError, match="COURSE_SEED must be a whole number"):
        lab.start("03")


def test_a_missing_package_is_named_with_the_way_to_install_it(monkeypatch):
    monkeypatch.setitem(lab.PACKAGES, "no_such_module", "no-such-package")
    monkeypatch.delenv("COLAB_RELEASE_TAG", raising=False)
    with pytest.raises(ModuleNotFoundError, match=r"missing: no-such-package\. .*pip install -r requirements.txt"):
        lab.install_missing()


def test_on_colab_only_what_is_missing_is_installed_and_nothing_upgraded(monkeypatch):
    calls = []

    def record(command, check):
        constraints = command[command.index("--constraint") + 1]
        with open(constraints, encoding="utf-8") as file:
            calls.append((command, file.read()))

    monkeypatch.setitem(lab.PACKAGES, "no_such_module", "no-such-package")
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release")
    monkeypatch.setattr(lab.subprocess, "run", record)
    lab.install_missing()
    ((command, constraints),) = calls
    assert command[-1] == "no-such-package"
    assert command[-2].endswith("installed.txt")
    assert "--upgrade" not in command
    import numpy

    assert f"numpy=={numpy.__version__}\n" in constraints


def test_nothing_is_installed_where_nothing_is_missing(monkeypatch):
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release")
    monkeypatch.setattr(lab.subprocess, "run", lambda *_, **__: pytest.fail("pip was called"))
    lab.install_missing()


def test_progress_before_start_gets_a_clear_error(monkeypatch):
    monkeypatch.setattr(lab, "number", None)
    with pytest.raises(RuntimeError, match="run the set-up cell"):
        lab.progress()


class TestMissingNames:
    """Drive the handler as IPython does."""

    @pytest.fixture
    def handler(self):
        return stopped.MissingNames()

    @pytest.fixture
    def shell(self):
        shown = []
        return SimpleNamespace(
            InteractiveTB=SimpleNamespace(structured_traceback=lambda kind, error, trace, tb_offset=None: [str(error)]),
            _showtraceback=lambda kind, error, lines: shown.append((kind, str(error))),
            shown=shown,
        )

    def after(self, handler, source, error=None):
        handler.after_cell(SimpleNamespace(info=SimpleNamespace(raw_cell=source), error_in_exec=error))

    def test_a_name_of_a_stopped_cell_is_explained_through_several_cells(self, handler, shell):
        self.after(handler, "features = hog(images)", NotImplementedError("Exercise 1.4"))
        missing = NameError("name 'features' is not defined", name="features")
        handler.show(shell, NameError, missing, None)
        self.after(handler, "model = train(features)", missing)
        handler.show(shell, NameError, NameError("x", name="model"), None)
        assert shell.shown == [
            (
                NotImplementedError,
                f"Exercise 1.4 comes first: `{name}` is made by a cell above that stopped there. "
                "Once the exercise is written, run that cell again.",
            )
            for name in ("features", "model")
        ]

    def test_an_open_exercise_is_one_line_that_says_how_to_go_on(self, handler, shell):
        lines = handler.show(shell, NotImplementedError, NotImplementedError("Exercise 1.4"), None)
        assert len(lines) == 1
        assert 'reference("1.4")' in lines[0]
        assert shell.shown[0][0] is NotImplementedError

    def test_an_exercise_that_does_not_exist_has_no_reference(self, handler, shell):
        handler.show(shell, NotImplementedError, NotImplementedError("Exercise 77.1"), None)
        assert shell.shown == [(NotImplementedError, "Exercise 77.1 is still to be written.")]

    def test_another_not_implemented_error_is_shown_whole(self, handler, shell):
        handler.show(shell, NotImplementedError, NotImplementedError("not for your shape"), None)
        assert shell.shown == [(NotImplementedError, "not for your shape")]

    def test_a_slip_of_the_pen_stays_a_name_error(self, handler, shell):
        self.after(handler, "features = hog(images)", NotImplementedError("Exercise 1.4"))
        handler.show(shell, NameError, NameError("name 'faetures' is not defined", name="faetures"), None)
        assert shell.shown == [(NameError, "name 'faetures' is not defined")]

    def test_once_the_cell_has_run_nothing_is_explained(self, handler, shell):
        self.after(handler, "features = hog(images)", NotImplementedError("Exercise 1.4"))
        self.after(handler, "features = hog(images)")
        handler.show(shell, NameError, NameError("gone", name="features"), None)
        assert shell.shown == [(NameError, "gone")]

    def test_another_error_explains_nothing(self, handler, shell):
        self.after(handler, "features = hog(images)", NotImplementedError("not for your shape"))
        self.after(handler, "%matplotlib inline", None)
        handler.show(shell, NameError, NameError("gone", name="features"), None)
        assert shell.shown == [(NameError, "gone")]


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "folder" / "file.txt"
    write_text(path, "first\n")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half of the sec")
        raise RuntimeError
    assert path.read_text() == "first\n"
    assert [p.name for p in path.parent.iterdir()] == ["file.txt"]
