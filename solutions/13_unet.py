# %% [markdown]
# # 13 · Unet
#
# **Question:** In one sentence, what does this lab find out?
#
# **You build:** a function, and then what the lab makes of it.
#
# **Time:** 60 minutes of work, 1 minute of CPU · **Before:** the labs that it builds on ·
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/your-name/neural-networks-for-computer-vision/blob/main/labs/13_unet.ipynb)
#
# **Papers:** Author year, journal

# %% tags=["setup"]
# Set-up: finds the course's files or, on Colab, fetches them. Run this cell first.
import os
import subprocess
import sys
from pathlib import Path

places = [Path.cwd(), *Path.cwd().parents, Path.cwd() / "course"]
if not any((place / "utils/lab.py").is_file() for place in places):
    address = os.environ.get("COURSE_REPOSITORY", "https://github.com/your-name/neural-networks-for-computer-vision")
    subprocess.run(["git", "clone", "-q", "--depth", "1", "--branch", "main", address, "course"], check=True)
course = str(next(place for place in places if (place / "utils/lab.py").is_file()))
if course not in sys.path:
    sys.path.insert(0, course)

from utils import lab

lab.start("13")

# %% tags=["imports"]
import numpy as np

from utils import results
from utils.checks import check

# %% [markdown]
# ## The first idea
#
# A picture first; then the idea with its formula. The flux of an object in band $b$ is the sum over its pixels:
#
# $$ F_b = \sum_{i,j} I_{ijb} $$
#
# **Predict:** by what factor does the flux change when the picture is twice as bright?

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>
#
# By two: a sum is linear.
# </details>


# %% exercise="13.1"
# Exercise 13.1
def flux(image):
    """Flux in each band.

    Parameters
    ----------
    image : (height, width, bands) array
        Of any number type.

    Returns
    -------
    (bands,) float array

    Examples
    --------
    >>> flux(np.ones((2, 3, 1)))
    array([6.])
    """
    ### BEGIN SOLUTION
    return image.astype("float64").sum(axis=(0, 1))
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check("13.1", flux)

# %% [markdown]
# ## An experiment
#
# The library's way of doing it, then a figure on galaxies with one sentence of reading.

# %%
image = np.full((4, 5, 3), 200, dtype="uint8")
ratio = float(flux(2.0 * image)[0] / flux(image)[0])
print(f"twice as bright: {ratio:.2f} times the flux")

# %% [markdown]
# ## What you measured

# %%
results.record("13", flux_ratio=ratio)
results.table("13")

# %% [markdown]
# ## Take away
#
# 1. The first thing to remember.
# 2. The second.
# 3. The third.
#
# ## Where to go on
#
# The next lab.
#
# ## Stretch tasks
#
# - Something harder, for those who have time.
#
# ## References
#
# - Author year, *title*, journal
