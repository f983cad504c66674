"""The README says what the labs and the measurements say, and its commands exist."""

import re
import tomllib

import pytest

from utils.course.errors import CourseError
from utils.course.layout import load_course
from utils.course.measure import load_claims
from utils.course.readme import COMPARED, update_readme
from utils.course.source import find_sources
from utils.files import ROOT
from utils.results import number

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_tables_are_up_to_date():
    assert update_readme(load_course(ROOT), check=True), "run: python -m utils.course readme"


def test_what_is_compared_is_claimed():
    course = load_course(ROOT)
    labs = {lab.number: lab for lab in find_sources(ROOT)}
    for lab, compared in COMPARED.items():
        claims = {claim for methods in compared.values() for claim in methods.values()}
        assert claims <= load_claims(course, labs[lab]).keys(), lab


def test_every_lab_has_its_row():
    for lab in find_sources(ROOT):
        assert f"](labs/{lab.name}.ipynb)" in README


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_files_and_make_targets_that_a_page_names_exist(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for path in re.findall(r"\]\(([^):#]+)\)", text):
        assert (ROOT / path).exists(), path


def test_a_readme_without_marks_gets_a_clear_error(tmp_path):
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    (tmp_path / "README.md").write_text("# Empty\n")
    (tmp_path / "solutions").mkdir()
    with pytest.raises(CourseError, match="wanted one pair of marks `<!-- labs"):
        update_readme(load_course(tmp_path))


def test_numbers_keep_their_meaning():
    assert [number(v) for v in (0.9612, 1234.5, 2602849, 3e-12)] == ["0.961", "1234", "2602849", "3e-12"]


def test_requirements_admit_what_the_lock_holds():
    from packaging.requirements import Requirement

    lines = (ROOT / "requirements-lock.txt").read_text(encoding="utf-8").splitlines()
    lock = {name.lower(): version for name, _, version in (line.partition("==") for line in lines)}
    lines = (ROOT / "requirements.txt").read_text() + (ROOT / "requirements-dev.txt").read_text()
    for line in lines.splitlines():
        if line and not line.startswith(("#", "-")):
            wanted = Requirement(line)
            assert wanted.specifier.contains(lock[wanted.name]), line


@pytest.mark.parametrize(("package", "version"), [("tensorflow", "2.18.0"), ("keras", "3.5.0"), ("numpy", "1.26.4")])
def test_requirements_admit_the_oldest_versions_that_are_promised(package, version):
    from packaging.requirements import Requirement

    lines = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line.startswith(f"{package}>")]
    assert len(lines) == 1
    assert Requirement(lines[0]).specifier.contains(version)


def test_python_versions_agree():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert settings["project"]["requires-python"] == ">=3.11"
    assert "Python 3.11, 3.12 or 3.13" in README
