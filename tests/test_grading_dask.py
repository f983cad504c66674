"""A class graded by a Dask cluster: two workers, one of which is killed in the middle."""

import os
import signal
import time

import pytest

from tests.grading_fakes import submission
from tests.test_grading_batch import Class
from utils.course.errors import CourseError
from utils.course.grading.workers import Cluster, Workers
from utils.files import ROOT

distributed = pytest.importorskip("distributed")
dask = pytest.importorskip("dask")
pytestmark = [pytest.mark.alone, pytest.mark.slow]


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes under nannies, which start a dead one anew."""
    path = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(ROOT)
    settings = {"distributed.scheduler.allowed-failures": 1}
    try:
        with (
            dask.config.set(settings),
            distributed.LocalCluster(
                n_workers=2,
                threads_per_worker=1,
                processes=True,
                dashboard_address=None,
                host="127.0.0.1",
                memory_limit=0,
                silence_logs=60,
            ) as opened,
        ):
            yield opened
    finally:
        if path is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = path


def test_a_worker_that_refuses_gets_nothing_more(tmp_path, cluster):
    group = Class(tmp_path)
    executor = Cluster(cluster.scheduler_address, say=group.said.append)
    assert wait_for(lambda: executor.room() == 2)
    bad = executor._workers[0]
    executor.refuse(bad, "its calibration differs")
    group.grade([submission(f"s{i}", sleep=0.1) for i in range(6)], executor)
    assert len({path.name.split(".")[2] for path in group.log.glob("s*")}) == 1
    assert group.said == [f"the worker {bad} refuses to grade: its calibration differs"]


def test_where_all_refuse_the_run_ends_with_their_reasons(tmp_path, cluster):
    group = Class(tmp_path)
    executor = Cluster(cluster.scheduler_address, say=group.said.append)
    assert wait_for(lambda: executor.room() == 2)
    for worker in executor._workers:
        executor.refuse(worker, "its calibration differs")
    with pytest.raises(CourseError, match=r"all workers refuse to grade:\ntcp://.*: its calibration differs"):
        group.grade([submission("ada")], executor)


def test_the_graders_of_the_workers_are_closed(tmp_path, cluster):
    group = Class(tmp_path)
    group.grade([submission(f"s{i}", sleep=0.2) for i in range(4)], Cluster(cluster.scheduler_address))
    workers = {path.name.split(".")[2] for path in group.log.glob("s*")}
    assert wait_for(lambda: {path.name.split("-")[1] for path in group.log.glob("closed-*")} == workers)


def test_no_scheduler_no_workers():
    with pytest.raises(CourseError, match="no Dask scheduler answers at tcp://127"):
        Cluster("tcp://127.0.0.1:9", patience=1, timeout=2)


def test_the_same_class_gets_the_same_grades_from_every_executor(tmp_path, cluster):
    grades = []
    for name, executor in (("dask", Cluster(cluster.scheduler_address)), ("processes", Workers(2))):
        (tmp_path / name).mkdir()
        found = Class(tmp_path / name).grade([submission(f"s{i}", points=i) for i in range(4)], executor)
        grades.append({student: grade["points"] for student, grade in found.items()})
    assert grades[0] == grades[1]


def test_a_worker_that_is_killed_costs_nobody_a_grade(tmp_path, cluster):
    group = Class(tmp_path)
    submissions = [submission(f"s{i:02d}", points=i % 5, sleep=0.2) for i in range(12)]
    executor = Cluster(cluster.scheduler_address, say=group.said.append)
    submit, sent, victims = executor.submit, [], []

    def busy():
        """(student, process) of who is being graded."""
        found = [path.name.split(".") for path in group.log.glob("s*")]
        return [
            (name, int(process)) for name, _, process in found if not group.results.load(submissions[int(name[1:])])
        ]

    def kill_in_the_middle(function, job, student, data):
        sent.append(student)
        if len(sent) == 6:
            assert wait_for(busy)
            victims.append(busy()[0])
            os.kill(victims[0][1], signal.SIGKILL)
        return submit(function, job, student, data)

    executor.submit = kill_in_the_middle
    grades = group.grade(submissions, executor)
    assert group.calls(victims[0][0]) == [2], "the killed worker had nobody"
    assert 13 <= sum(group.calls(*grades)) <= 15  # a result that died with the worker may be made anew
    assert {student: grade["points"] for student, grade in grades.items()} == {f"s{i:02d}": i % 5 for i in range(12)}
    assert {grade["status"] for grade in grades.values()} == {"graded"}
    assert len(list(group.results.folder.glob("results/*.json"))) == 12
    assert not list(group.results.folder.glob("attempts/*"))


def test_who_kills_every_worker_fails_and_the_others_do_not(tmp_path, cluster):
    group = Class(tmp_path)
    submissions = [submission("bad", die=99), *(submission(f"s{i}", sleep=0.1) for i in range(4))]
    grades = group.grade(submissions, Cluster(cluster.scheduler_address, say=group.said.append))
    assert grades.pop("bad")["status"] == "failed"
    assert {grade["status"] for grade in grades.values()} == {"graded"}


def wait_for(condition, seconds=15):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)
    return condition()
