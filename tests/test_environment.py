"""The report on a student's machine, and the map of the course."""

import json

import pytest

from utils import environment, lab
from utils.checks import notebook


def report(capsys):
    environment.report()
    return capsys.readouterr().out


def test_a_fit_machine_has_no_red_line(capsys, monkeypatch):
    monkeypatch.setattr(lab, "device", "CPU, 2 cores")
    monkeypatch.setattr(environment, "NEEDED_MEMORY", 0)
    monkeypatch.setattr(environment, "NEEDED_DISK", 0)
    out = report(capsys)
    assert "✘" not in out
    assert "keras 3." in out
    assert "training runs on: CPU, 2 cores" in out


def test_what_is_missing_or_too_old_is_named_with_the_way_to_mend_it(capsys, monkeypatch):
    versions = {"keras": "3.1.0", "pooch": None}
    found = {name: environment.installed_version(name) for name in [*lab.PACKAGES.values(), "tensorflow"]}
    monkeypatch.setattr(environment, "installed_version", (found | versions).get)
    out = report(capsys)
    assert "✘ keras 3.1.0 is not in the range" in out
    assert "✘ pooch is missing" in out
    assert "pip install -r requirements.txt" in out


def test_too_little_memory_and_disk_are_named(capsys, monkeypatch):
    monkeypatch.setattr(environment, "NEEDED_MEMORY", 10**6)
    monkeypatch.setattr(environment, "NEEDED_DISK", 10**6)
    out = report(capsys)
    assert "The largest lab takes" in out
    assert "COURSE_CACHE" in out


def test_the_map_shows_question_minutes_and_progress(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "progress.json"))
    (tmp_path / "progress.json").write_text(json.dumps({"0.1": {"state": "correct", "points": 4}}))
    monkeypatch.setattr(notebook, "_unwritten", {})
    lab.overview()
    out = capsys.readouterr().out
    assert "00 · Start here (75 minutes of work): 1 of 5 exercises correct\n    How does a picture" in out


@pytest.mark.parametrize("text", ["", "# 03 · A CNN\n\n**Question:** Why?", "**Question:** Why?"])
def test_a_header_that_lacks_a_part_gets_a_clear_error(text):
    with pytest.raises(ValueError, match="a lab's header has"):
        lab.read_header(text)
