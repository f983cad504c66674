"""Exercises and claims of lab 12."""

import numpy as np

from utils.checks import Exercise, expect, subtest
from utils.results import Claim

CLAIMS = {
    "flux_ratio": Claim("flux of a picture twice as bright, in units of the flux of the first", "1.99 .. 2.01"),
}


class Flux(Exercise):
    id = "12.1"
    title = "flux in each band"
    hints = (
        "Which of the three axes must still be there in the result?",
        "Sum over the first two axes, in a number type that has room for the result.",
        "`image.astype(...)`, then `.sum(axis=...)` with a tuple of two axes.",
    )

    def inputs(self, rng):
        return {
            "ones": {"image": np.ones((3, 5, 2))},
            "non-square": {"image": rng.normal(size=(7, 4, 3)).astype("float32")},
            "one band": {"image": rng.normal(size=(6, 6, 1))},
            "bright uint8": {"image": rng.integers(200, 255, size=(9, 8, 3), dtype=np.uint8)},
        }

    def reference(self):
        def flux(image):
            return np.einsum("hwb->b", image.astype("float64"))

        return flux

    @subtest("there is one value for each band")
    def bands(self, cases, observed):
        for name in ("non-square", "one band"):
            expect.shape(observed[name], cases[name]["image"].shape[2:], f"flux of the {name} image")

    @subtest("a picture of ones has as much flux as pixels")
    def ones(self, cases, observed):
        expect.close(observed["ones"], [15, 15], "flux", mistakes={"This is the mean, not the sum.": [1, 1]})

    @subtest("the sum does not overflow in an image of 8-bit numbers")
    def eight_bits(self, cases, observed):
        image = cases["bright uint8"]["image"]
        overflown = np.einsum("hwb->b", image)
        mistakes = {"The sum has overflown: convert to float first.": overflown}
        expect.close(observed["bright uint8"], np.einsum("hwb->b", image.astype("float64")), "flux", mistakes=mistakes)
