"""Wrong answers to the exercises of lab 13."""

from tests.wrong_answers import wrong


@wrong("13.1", rejected_by="there is one value for each band")
def adds_the_bands_up(image):
    return image.astype("float64").sum()


@wrong("13.1", rejected_by="there is one value for each band")
def sums_over_the_last_axis(image):
    return image.astype("float64").sum(axis=2)


@wrong("13.1", rejected_by="a picture of ones has as much flux as pixels")
def takes_the_mean(image):
    return image.mean(axis=(0, 1))


@wrong("13.1", rejected_by="the sum does not overflow in an image of 8-bit numbers")
def sums_in_the_type_of_the_image(image):
    return image.sum(axis=(0, 1), dtype=image.dtype)
