"""A class of hand-ins made by code, to grade: honest, damaged and hostile, each with what has to come of it.

========== ===========================================================
handin     what one student hands in, and what is expected of it
notebooks  students' notebooks, made from a lab's solution
points     what honest code is worth, found by running it
honest     right, half right, blank, each exercise alone wrong
damaged    as editors, platforms and accidents damage notebooks
hostile    attacks for points, and to bring the grading down
attacks    their code
========== ===========================================================
"""

from pathlib import Path

from tests.corpus.handin import Expected

KINDS = ("honest", "damaged", "hostile")


def write_class(folder, lab, kinds=KINDS):
    """Write a class: one folder for each student.

    Parameters
    ----------
    folder : pathlib.Path
        New or empty.
    lab : str
        Two digits.
    kinds : collection of str
        Which kinds of hand-ins.

    Returns
    -------
    list of Expected
        In the order of the students.
    """
    from tests.corpus.damaged import damaged
    from tests.corpus.honest import honest
    from tests.corpus.hostile import hostile
    from tests.corpus.notebooks import handout

    folder, made = Path(folder).resolve(), []
    if "honest" in kinds:
        made += honest(handout(lab))
    if "damaged" in kinds:
        made += damaged(handout(lab))
    if "hostile" in kinds:
        made += hostile(handout(lab), folder)
    for hand_in in made:
        hand_in.write(folder)
    return sorted((hand_in.expected for hand_in in made), key=lambda expected: expected.student)


__all__ = ["KINDS", "Expected", "write_class"]
