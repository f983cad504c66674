"""Wrong answers to the exercises of lab 09."""

import keras
import numpy as np

from tests.wrong_answers import add_wrong, wrong

# 9.1 eight views

TURNS = "the first four: quarter turns counter-clockwise, beginning with none"
MIRRORED = "the last four: mirrored left to right, then turned counter-clockwise"
DIFFER = "all eight differ"


@wrong("9.1", rejected_by=TURNS)
def turns_clockwise(image):
    return [np.rot90(view, -k) for view in (image, image[:, ::-1]) for k in range(4)]


@wrong("9.1", rejected_by=MIRRORED)
def mirrors_upside_down(image):
    return [np.rot90(view, k) for view in (image, image[::-1]) for k in range(4)]


@wrong("9.1", rejected_by=MIRRORED)
def turns_first_and_mirrors_then(image):
    turned = [np.rot90(image, k) for k in range(4)]
    return turned + [view[:, ::-1] for view in turned]


@wrong("9.1", rejected_by=DIFFER)
def mirrors_both_axes_instead_of_turning(image):
    four = [image, image[:, ::-1], image[::-1], image[::-1, ::-1]]
    return four + [view[:, ::-1] for view in four]


@wrong("9.1", rejected_by=TURNS)
def turns_columns_into_bands(image):
    return [np.rot90(view, k, axes=(1, 2)) for view in (image, image[:, ::-1]) for k in range(4)]


@wrong("9.1", rejected_by=MIRRORED)
def mirrors_the_bands(image):
    return [np.rot90(view, k) for view in (image, image[..., ::-1]) for k in range(4)]


@wrong("9.1", rejected_by=TURNS)
def takes_the_transpose_for_a_turn(image):
    views = [image, np.transpose(image, (1, 0, 2)), image[::-1, ::-1], np.transpose(image, (1, 0, 2))[::-1, ::-1]]
    return views + [view[:, ::-1] for view in views]


@wrong("9.1", rejected_by=TURNS)
def returns_four_views(image):
    return [np.rot90(image, k) for k in range(4)]


@wrong("9.1", rejected_by=TURNS)
def puts_each_mirror_image_beside_its_original(image):
    return [np.rot90(view, k) for k in range(4) for view in (image, image[:, ::-1])]


# 9.2 places

NOTHING = "nothing to do: each pixel comes from itself"
SHIFT = "a shift goes down and right"
QUARTER = "a quarter turn is that of np.rot90: counter-clockwise, about the middle"
TURN = "a turn by any angle, of any shape"
ZOOM = "a zoom larger than 1 enlarges, about the middle"
EVERYTHING = "zoom, turn and shift, in this order"


def _places(height, width, angle, zoom, shift, middle=None, sign=1, unit=np.pi / 180):
    row, column = np.mgrid[:height, :width].astype(float)
    middle_row, middle_column = middle or ((height - 1) / 2, (width - 1) / 2)
    a = sign * angle * unit
    down, right = row - middle_row - shift[0], column - middle_column - shift[1]
    rows = middle_row + (down * np.cos(a) + right * np.sin(a)) / zoom
    columns = middle_column + (right * np.cos(a) - down * np.sin(a)) / zoom
    return rows, columns


@wrong("9.2", rejected_by=QUARTER)
def turns_about_half_the_size(height, width, angle, zoom, shift):
    return _places(height, width, angle, zoom, shift, middle=(height / 2, width / 2))


@wrong("9.2", rejected_by=QUARTER)
def turns_about_the_rounded_middle(height, width, angle, zoom, shift):
    return _places(height, width, angle, zoom, shift, middle=(height // 2, width // 2))


@wrong("9.2", rejected_by=TURN)
def turns_about_the_first_pixel(height, width, angle, zoom, shift):
    return _places(height, width, angle, zoom, shift, middle=(0, 0))


@wrong("9.2", rejected_by=QUARTER)
def turns_the_other_way(height, width, angle, zoom, shift):
    return _places(height, width, angle, zoom, shift, sign=-1)


@wrong("9.2", rejected_by=TURN)
def takes_degrees_for_radians(height, width, angle, zoom, shift):
    return _places(height, width, angle, zoom, shift, unit=1.0)


@wrong("9.2", rejected_by=ZOOM)
def zooms_the_other_way(height, width, angle, zoom, shift):
    return _places(height, width, angle, 1 / zoom, shift)


@wrong("9.2", rejected_by=SHIFT)
def shifts_the_other_way(height, width, angle, zoom, shift):
    return _places(height, width, angle, zoom, (-shift[0], -shift[1]))


@wrong("9.2", rejected_by=SHIFT)
def takes_shift_for_right_and_down(height, width, angle, zoom, shift):
    return _places(height, width, angle, zoom, shift[::-1])


@wrong("9.2", rejected_by=NOTHING)
def returns_columns_first(height, width, angle, zoom, shift):
    return _places(height, width, angle, zoom, shift)[::-1]


@wrong("9.2", rejected_by=TURN)
def mixes_up_height_and_width(height, width, angle, zoom, shift):
    return _places(height, width, angle, zoom, shift, middle=((width - 1) / 2, (height - 1) / 2))


@wrong("9.2", rejected_by=EVERYTHING)
def undoes_the_shift_last(height, width, angle, zoom, shift):
    rows, columns = _places(height, width, angle, zoom, (0, 0))
    return rows - shift[0], columns - shift[1]


@wrong("9.2", rejected_by=SHIFT)
def returns_where_pixels_go(height, width, angle, zoom, shift):
    row, column = np.mgrid[:height, :width].astype(float)
    middle_row, middle_column = (height - 1) / 2, (width - 1) / 2
    a = np.radians(angle)
    down, right = row - middle_row, column - middle_column
    rows = middle_row + zoom * (down * np.cos(a) - right * np.sin(a)) + shift[0]
    return rows, middle_column + zoom * (right * np.cos(a) + down * np.sin(a)) + shift[1]


@wrong("9.2", rejected_by=EVERYTHING)
def undoes_the_turn_before_the_shift(height, width, angle, zoom, shift):
    a = np.radians(angle)
    turned = (shift[0] * np.cos(a) - shift[1] * np.sin(a), shift[1] * np.cos(a) + shift[0] * np.sin(a))
    return _places(height, width, angle, zoom, turned)


@wrong("9.2", rejected_by=QUARTER)
def overwrites_a_distance_that_it_still_needs(height, width, angle, zoom, shift):
    row, column = np.mgrid[:height, :width]
    a = np.radians(angle)
    down, right = row - (height - 1) / 2 - shift[0], column - (width - 1) / 2 - shift[1]
    down = down * np.cos(a) + right * np.sin(a)
    right = right * np.cos(a) - down * np.sin(a)
    return (height - 1) / 2 + down / zoom, (width - 1) / 2 + right / zoom


@wrong("9.2", rejected_by=SHIFT)
def rounds_the_places(height, width, angle, zoom, shift):
    rows, columns = _places(height, width, angle, zoom, shift)
    return rows.round(), columns.round()


@wrong("9.2", rejected_by=TURN)
def takes_the_height_for_both_middles(height, width, angle, zoom, shift):
    return _places(height, width, angle, zoom, shift, middle=((height - 1) / 2, (height - 1) / 2))


@wrong("9.2", rejected_by=NOTHING)
def takes_meshgrid_for_mgrid(height, width, angle, zoom, shift):
    rows, columns = _places(height, width, angle, zoom, shift)
    return rows.T, columns.T


# 9.3 interpolate

WHOLE = "at whole pixels the image itself"
HALF = "half way between two pixels their mean"
BETWEEN = "in between: four pixels, the nearer count more; as many places as were asked for"
OUTSIDE = "far outside there is 0"
EDGE = "over the edge the image fades out into 0, and a rounding error loses no edge"


def _weighted(framed, rows, columns, swap=False):
    top = np.minimum(np.floor(rows).astype(int), framed.shape[0] - 2)
    left = np.minimum(np.floor(columns).astype(int), framed.shape[1] - 2)
    down, right = (rows - top)[..., None], (columns - left)[..., None]
    if swap:
        down, right = 1 - down, 1 - right
    upper = (1 - right) * framed[top, left] + right * framed[top, left + 1]
    lower = (1 - right) * framed[top + 1, left] + right * framed[top + 1, left + 1]
    return (1 - down) * upper + down * lower


def _framed(image, rows, columns, **pad):
    height, width, _ = image.shape
    framed = np.pad(image.astype(float), ((1, 1), (1, 1), (0, 0)), **pad)
    return framed, np.clip(rows, -1, height) + 1, np.clip(columns, -1, width) + 1


@wrong("9.3", rejected_by=HALF)
def takes_the_nearest_pixel(image, rows, columns):
    framed, rows, columns = _framed(image, rows, columns)
    return framed[np.round(rows).astype(int), np.round(columns).astype(int)]


@wrong("9.3", rejected_by=HALF)
def takes_the_pixel_at_the_upper_left(image, rows, columns):
    framed, rows, columns = _framed(image, rows, columns)
    return framed[np.floor(rows).astype(int), np.floor(columns).astype(int)]


@wrong("9.3", rejected_by=BETWEEN)
def weighs_the_wrong_way_round(image, rows, columns):
    return _weighted(*_framed(image, rows, columns), swap=True)


@wrong("9.3", rejected_by=BETWEEN)
def mixes_up_rows_and_columns(image, rows, columns):
    return _weighted(*_framed(image, columns, rows))


@wrong("9.3", rejected_by=OUTSIDE)
def repeats_the_edge_outside(image, rows, columns):
    return _weighted(*_framed(image, rows, columns, mode="edge"))


@wrong("9.3", rejected_by=OUTSIDE)
def lets_negative_places_count_from_the_end(image, rows, columns):
    top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    down, right = (rows - top)[..., None], (columns - left)[..., None]
    height, width, _ = image.shape
    found = 0
    for i, vertical in ((0, 1 - down), (1, down)):
        for j, horizontal in ((0, 1 - right), (1, right)):
            found = found + vertical * horizontal * image[(top + i) % height, (left + j) % width]
    return found


@wrong("9.3", rejected_by=EDGE)
def breaks_off_at_the_edge(image, rows, columns):
    height, width, _ = image.shape
    inside = (rows >= 0) & (rows <= height - 1) & (columns >= 0) & (columns <= width - 1)
    return inside[..., None] * _weighted(*_framed(image, rows, columns))


@wrong("9.3", rejected_by=WHOLE)
def frames_the_bands_too(image, rows, columns):
    framed = np.pad(image.astype(float), 1)
    height, width, _ = image.shape
    return _weighted(framed, np.clip(rows, -1, height) + 1, np.clip(columns, -1, width) + 1)


@wrong("9.3", rejected_by=WHOLE)
def forgets_that_the_frame_moves_the_image(image, rows, columns):
    height, width, _ = image.shape
    framed = np.pad(image.astype(float), ((1, 1), (1, 1), (0, 0)))
    return _weighted(framed, np.clip(rows, 0, height), np.clip(columns, 0, width))


@wrong("9.3", rejected_by=OUTSIDE)
def runs_out_of_the_image(image, rows, columns):
    return _weighted(image.astype(float), rows, columns)


@wrong("9.3", rejected_by=HALF)
def interpolates_along_rows_alone(image, rows, columns):
    framed, rows, columns = _framed(image, rows, columns)
    return _weighted(framed, np.floor(rows), columns)


@wrong("9.3", rejected_by=EDGE)
def rounds_places_towards_zero(image, rows, columns):
    height, width, _ = image.shape
    framed = np.pad(image.astype(float), ((2, 2), (2, 2), (0, 0)))
    rows, columns = np.clip(rows, -1, height), np.clip(columns, -1, width)
    top, left = rows.astype(int), columns.astype(int)
    down, right = (rows - top)[..., None], (columns - left)[..., None]
    upper = (1 - right) * framed[top + 2, left + 2] + right * framed[top + 2, left + 3]
    lower = (1 - right) * framed[top + 3, left + 2] + right * framed[top + 3, left + 3]
    return (1 - down) * upper + down * lower


# 9.4 noise

KEPT_WHOLE = "at whole pixels all of the variance is kept"
KEPT_HALF = "half way between two pixels a half, between four a quarter"
KEPT_ANYWHERE = "anywhere: the sum of the squared weights, also at negative places"
KEPT_AVERAGE = "on average over all places 4/9"


def _factor(values):
    part = values - np.floor(values)
    return part**2 + (1 - part) ** 2


@wrong("9.4", rejected_by=KEPT_HALF)
def returns_the_standard_deviation(rows, columns):
    return np.sqrt(_factor(rows) * _factor(columns))


@wrong("9.4", rejected_by=KEPT_HALF)
def sums_the_weights_without_squaring(rows, columns):
    down, right = rows - np.floor(rows), columns - np.floor(columns)
    return (1 - down) * (1 - right) + (1 - down) * right + down * (1 - right) + down * right


@wrong("9.4", rejected_by=KEPT_WHOLE)
def adds_the_factors(rows, columns):
    return _factor(rows) + _factor(columns)


@wrong("9.4", rejected_by=KEPT_ANYWHERE)
def averages_the_factors(rows, columns):
    return (_factor(rows) + _factor(columns)) / 2


@wrong("9.4", rejected_by=KEPT_AVERAGE)
def takes_the_rows_alone(rows, columns):
    return _factor(rows) + 0 * columns


@wrong("9.4", rejected_by=KEPT_ANYWHERE)
def rounds_towards_zero(rows, columns):
    down, right = rows - rows.astype(int), columns - columns.astype(int)
    return (down**2 + (1 - down) ** 2) * (right**2 + (1 - right) ** 2)


@wrong("9.4", rejected_by=KEPT_WHOLE)
def returns_the_mean_everywhere(rows, columns):
    return np.full(rows.shape, 4 / 9)


@wrong("9.4", rejected_by=KEPT_ANYWHERE)
def squares_the_first_weight_alone(rows, columns):
    down, right = rows - np.floor(rows), columns - np.floor(columns)
    return ((1 - down) * (1 - right)) ** 2


@wrong("9.4", rejected_by=KEPT_WHOLE)
def returns_what_is_lost(rows, columns):
    return 1 - _factor(rows) * _factor(columns)


@wrong("9.4", rejected_by=KEPT_WHOLE)
def takes_the_place_for_its_fraction(rows, columns):
    return (rows**2 + (1 - rows) ** 2) * (columns**2 + (1 - columns) ** 2)


# 9.5 labels that follow

ANGLE = "the position angle is that of the moved picture"
SPAN = "position angles are from 0 to 180 degrees"
WINDING = "a mirror changes the sense of winding, a turn does not"
MAGNITUDE = "the magnitude is that of the zoomed picture, at constant surface brightness"
RADIUS = "the radius grows with the zoom"


def _moved(position_angle, winding, magnitude, radius, mirror, angle, zoom, /, **wrong_part):
    right = {
        "position_angle": (np.where(mirror, 180 - position_angle, position_angle) + angle) % 180,
        "winding": np.where(mirror, -winding, winding),
        "magnitude": magnitude - 5 * np.log10(zoom),
        "radius": radius * zoom,
    }
    right.update(wrong_part)
    return tuple(right.values())


@wrong("9.5", rejected_by=ANGLE)
def forgets_the_mirror_in_the_angle(position_angle, winding, magnitude, radius, mirror, angle, zoom):
    part = (position_angle + angle) % 180
    return _moved(position_angle, winding, magnitude, radius, mirror, angle, zoom, position_angle=part)


@wrong("9.5", rejected_by=ANGLE)
def subtracts_the_turn(position_angle, winding, magnitude, radius, mirror, angle, zoom):
    part = (np.where(mirror, 180 - position_angle, position_angle) - angle) % 180
    return _moved(position_angle, winding, magnitude, radius, mirror, angle, zoom, position_angle=part)


@wrong("9.5", rejected_by=ANGLE)
def mirrors_after_the_turn(position_angle, winding, magnitude, radius, mirror, angle, zoom):
    part = np.where(mirror, 180 - position_angle - angle, position_angle + angle) % 180
    return _moved(position_angle, winding, magnitude, radius, mirror, angle, zoom, position_angle=part)


@wrong("9.5", rejected_by=SPAN)
def lets_angles_run_away(position_angle, winding, magnitude, radius, mirror, angle, zoom):
    part = np.where(mirror, 180 - position_angle, position_angle) + angle
    return _moved(position_angle, winding, magnitude, radius, mirror, angle, zoom, position_angle=part)


@wrong("9.5", rejected_by=WINDING)
def keeps_the_winding_of_mirrored_spirals(position_angle, winding, magnitude, radius, mirror, angle, zoom):
    return _moved(position_angle, winding, magnitude, radius, mirror, angle, zoom, winding=winding)


@wrong("9.5", rejected_by=WINDING)
def changes_the_winding_with_the_turn(position_angle, winding, magnitude, radius, mirror, angle, zoom):
    part = np.where(mirror ^ (angle % 360 > 180), -winding, winding)
    return _moved(position_angle, winding, magnitude, radius, mirror, angle, zoom, winding=part)


@wrong("9.5", rejected_by=MAGNITUDE)
def keeps_the_magnitude(position_angle, winding, magnitude, radius, mirror, angle, zoom):
    return _moved(position_angle, winding, magnitude, radius, mirror, angle, zoom, magnitude=magnitude)


@wrong("9.5", rejected_by=MAGNITUDE)
def makes_larger_galaxies_fainter(position_angle, winding, magnitude, radius, mirror, angle, zoom):
    part = magnitude + 5 * np.log10(zoom)
    return _moved(position_angle, winding, magnitude, radius, mirror, angle, zoom, magnitude=part)


@wrong("9.5", rejected_by=MAGNITUDE)
def takes_the_length_for_the_area(position_angle, winding, magnitude, radius, mirror, angle, zoom):
    part = magnitude - 2.5 * np.log10(zoom)
    return _moved(position_angle, winding, magnitude, radius, mirror, angle, zoom, magnitude=part)


@wrong("9.5", rejected_by=RADIUS)
def lets_the_radius_grow_like_the_area(position_angle, winding, magnitude, radius, mirror, angle, zoom):
    return _moved(position_angle, winding, magnitude, radius, mirror, angle, zoom, radius=radius * zoom**2)


@wrong("9.5", rejected_by=WINDING)
def takes_half_turns_for_mirrors(position_angle, winding, magnitude, radius, mirror, angle, zoom):
    part = np.where(mirror ^ (np.abs(angle) > 90), -winding, winding)
    return _moved(position_angle, winding, magnitude, radius, mirror, angle, zoom, winding=part)


@wrong("9.5", rejected_by=WINDING)
def takes_the_winding_for_zero_and_one(position_angle, winding, magnitude, radius, mirror, angle, zoom):
    part = np.where(mirror, 1 - winding, winding)
    return _moved(position_angle, winding, magnitude, radius, mirror, angle, zoom, winding=part)


# 9.6 a random view for each galaxy

VIEWS = "each galaxy comes out as a view of itself, in its own place of the batch"
LIKELY = "all eight views are equally likely"
OWN = "each galaxy draws its own view"
ANEW = "the next call draws anew, from the generator that is handed over"
TYPES = "the type of the numbers stays, also of a single image"


def _numbered(images, numbers):
    augmented = np.empty_like(images)
    for i, k in enumerate(numbers):
        augmented[i] = np.rot90(images[i, :, ::-1] if k >= 4 else images[i], k % 4)
    return augmented


@wrong("9.6", rejected_by=OWN)
def one_view_for_the_whole_batch(images, rng):
    return _numbered(images, [rng.integers(8)] * len(images))


@wrong("9.6", rejected_by=LIKELY)
def never_mirrors(images, rng):
    return _numbered(images, rng.integers(4, size=len(images)))


@wrong("9.6", rejected_by=LIKELY)
def mirrors_both_ways_and_never_turns(images, rng):
    augmented = np.empty_like(images)
    for i, (up, left) in enumerate(rng.integers(2, size=(len(images), 2))):
        augmented[i] = images[i, :: 1 - 2 * up, :: 1 - 2 * left]
    return augmented


@wrong("9.6", rejected_by=LIKELY)
def takes_the_last_number_for_included(images, rng):
    return _numbered(images, rng.integers(7, size=len(images)))


@wrong("9.6", rejected_by=VIEWS)
def shuffles_the_batch(images, rng):
    return rng.permutation(_numbered(images, rng.integers(8, size=len(images))))


@wrong("9.6", rejected_by=VIEWS)
def mirrors_the_batch_axis(images, rng):
    return _numbered(images, rng.integers(8, size=len(images)))[::-1]


@wrong("9.6", rejected_by=ANEW)
def starts_a_generator_of_its_own(images, rng):
    return _numbered(images, np.random.default_rng(0).integers(8, size=len(images)))


@wrong("9.6", rejected_by=ANEW)
def draws_from_the_whole_programs_generator(images, rng):
    return _numbered(images, np.random.randint(8, size=len(images)))  # noqa: NPY002


@wrong("9.6", rejected_by=VIEWS)
def augments_in_place(images, rng):
    for i, k in enumerate(rng.integers(8, size=len(images))):
        images[i] = _numbered(images[i : i + 1], [k])[0]
    return images


@wrong("9.6", rejected_by=TYPES)
def makes_an_array_of_doubles(images, rng):
    return _numbered(images.astype(float), rng.integers(8, size=len(images)))


@wrong("9.6", rejected_by=OWN)
def goes_through_the_views_in_turn(images, rng):
    return _numbered(images, (np.arange(len(images)) + rng.integers(8)) % 8)


# 9.7 an input pipeline

LENGTHS = "as many batches as it takes to show every galaxy, rounded up"
ONCE = "in an epoch every galaxy comes once, in batches of the wanted size"
LABELS = "each image comes with its own label"
AUGMENTED = "every batch is augmented, anew in each epoch"
ORDER = "a new order in each epoch"


class _Batches(keras.utils.PyDataset):
    def __init__(self, images, labels, batch_size, augment, seed):
        super().__init__()
        self.images, self.labels, self.batch_size, self.augment = images, labels, batch_size, augment
        self.rng = np.random.default_rng(seed)
        self.order = self.rng.permutation(len(images))

    def __len__(self):
        return -(-len(self.images) // self.batch_size)

    def chosen(self, index):
        return self.order[index * self.batch_size : (index + 1) * self.batch_size]

    def __getitem__(self, index):
        chosen = self.chosen(index)
        return self.augment(self.images[chosen], self.rng), self.labels[chosen]

    def on_epoch_end(self):
        self.order = self.rng.permutation(len(self.images))


@wrong("9.7", rejected_by=LENGTHS)
class DropsTheRest(_Batches):
    def __len__(self):
        return len(self.images) // self.batch_size


@wrong("9.7", rejected_by=LENGTHS)
class TakesTheBatchSizeForTheNumberOfBatches(_Batches):
    def __len__(self):
        return self.batch_size


@wrong("9.7", rejected_by=LENGTHS)
class CountsOneBatchTooMany(_Batches):
    def __len__(self):
        return len(self.images) // self.batch_size + 1


@wrong("9.7", rejected_by=LABELS)
class LeavesTheLabelsInTheirOrder(_Batches):
    def __getitem__(self, index):
        labels = self.labels[index * self.batch_size : (index + 1) * self.batch_size]
        return self.augment(self.images[self.chosen(index)], self.rng), labels


@wrong("9.7", rejected_by=ONCE)
class ForgetsToMultiplyTheIndex(_Batches):
    def chosen(self, index):
        return self.order[index : index + self.batch_size]


@wrong("9.7", rejected_by=ONCE)
class DrawsWithReplacement(_Batches):
    def chosen(self, index):
        size = min(self.batch_size, len(self.images) - index * self.batch_size)
        return self.rng.integers(len(self.images), size=size)


@wrong("9.7", rejected_by=AUGMENTED)
class ForgetsToAugment(_Batches):
    def __getitem__(self, index):
        chosen = self.chosen(index)
        return self.images[chosen], self.labels[chosen]


@wrong("9.7", rejected_by=AUGMENTED)
class AugmentsOnceAtTheStart(_Batches):
    def __init__(self, images, labels, batch_size, augment, seed):
        super().__init__(images, labels, batch_size, augment, seed)
        self.images = augment(images, self.rng)

    def __getitem__(self, index):
        chosen = self.chosen(index)
        return self.images[chosen], self.labels[chosen]


@wrong("9.7", rejected_by=ORDER)
class KeepsTheOrder(_Batches):
    def on_epoch_end(self):
        pass


@wrong("9.7", rejected_by=ORDER)
class GoesThroughTheSetInOrder(_Batches):
    def chosen(self, index):
        return np.arange(len(self.images))[index * self.batch_size : (index + 1) * self.batch_size]


@wrong("9.7", rejected_by=AUGMENTED)
class AugmentsWithAGeneratorOfItsOwn(_Batches):
    def __getitem__(self, index):
        chosen = self.chosen(index)
        return self.augment(self.images[chosen], np.random.default_rng()), self.labels[chosen]


@wrong("9.7", rejected_by=AUGMENTED)
class ForgetsTheGenerator(_Batches):
    def __getitem__(self, index):
        chosen = self.chosen(index)
        return self.augment(self.images[chosen]), self.labels[chosen]


@wrong("9.7", rejected_by=ORDER)
class DrawsTheOrderFromAGeneratorOfItsOwn(_Batches):
    def on_epoch_end(self):
        self.order = np.random.default_rng().permutation(len(self.images))


@wrong("9.7", rejected_by=ONCE)
class ReturnsTheImagesAlone(_Batches):
    def __getitem__(self, index):
        return self.augment(self.images[self.chosen(index)], self.rng)


@wrong("9.7", rejected_by=LABELS)
class ReturnsTheLabelsFirst(_Batches):
    def __getitem__(self, index):
        chosen = self.chosen(index)
        return self.labels[chosen], self.augment(self.images[chosen], self.rng)


@wrong("9.7", rejected_by=LABELS)
class ShufflesTheImagesAlone(_Batches):
    def on_epoch_end(self):
        self.images = self.images[self.rng.permutation(len(self.images))]
        self.order = self.rng.permutation(len(self.images))


# 9.8 test-time averaging

SHAPE = "probabilities: a row for each galaxy, with the sum 1"
MEAN = "the mean of the predictions for the eight views"
INVARIANT = "a turned or mirrored galaxy gets the same answer"
UNCHANGED = "a network that knows no direction is left as it is"


def _batches(images, turns=4):
    return [np.rot90(batch, k, axes=(1, 2)) for batch in (images, images[:, :, ::-1]) for k in range(turns)]


@wrong("9.8", rejected_by=MEAN)
def averages_the_pictures(predict, images):
    return predict(np.mean(_batches(images), axis=0))


@wrong("9.8", rejected_by=INVARIANT)
def averages_the_turns_alone(predict, images):
    return np.mean([predict(view) for view in _batches(images)[:4]], axis=0)


@wrong("9.8", rejected_by=INVARIANT)
def averages_two_mirrors_and_no_turn(predict, images):
    views = [images[:, ::i, ::j] for i in (1, -1) for j in (1, -1)]
    return np.mean([predict(view) for view in views], axis=0)


@wrong("9.8", rejected_by=SHAPE)
def takes_the_largest_probability(predict, images):
    return np.max([predict(view) for view in _batches(images)], axis=0)


@wrong("9.8", rejected_by=SHAPE)
def returns_the_sum(predict, images):
    return np.sum([predict(view) for view in _batches(images)], axis=0)


@wrong("9.8", rejected_by=MEAN)
def lets_the_views_vote(predict, images):
    predictions = np.array([predict(view) for view in _batches(images)])
    return np.eye(predictions.shape[2])[predictions.argmax(axis=2)].mean(axis=0)


@wrong("9.8", rejected_by=MEAN)
def averages_logarithms(predict, images):
    product = np.exp(np.mean([np.log(predict(view)) for view in _batches(images)], axis=0))
    return product / product.sum(axis=1, keepdims=True)


@wrong("9.8", rejected_by=MEAN)
def mixes_galaxies_and_views(predict, images):
    predictions = predict(np.concatenate(_batches(images)))
    return predictions.reshape(len(images), 8, -1).mean(axis=1)


@wrong("9.8", rejected_by=SHAPE)
def averages_over_the_galaxies(predict, images):
    return np.mean([predict(view) for view in _batches(images)], axis=1)


@wrong("9.8", rejected_by=MEAN)
def turns_the_batch_into_rows(predict, images):
    views = [np.rot90(images, k) for k in (0, 2)]
    return np.mean([predict(view) for view in views], axis=0)


@wrong("9.8", rejected_by=MEAN)
def takes_a_batch_for_an_image(predict, images):
    return np.mean([predict(np.rot90(batch, k)) for batch in (images, images[:, ::-1]) for k in range(4)], axis=0)


@wrong("9.8", rejected_by=UNCHANGED)
def normalises_by_the_softmax_once_more(predict, images):
    mean = np.exp(np.mean([predict(view) for view in _batches(images)], axis=0))
    return mean / mean.sum(axis=1, keepdims=True)


# 9.9 parts

FIRST = "the first part is the upper left corner as it is"
OTHERS = "the others: upper right, lower right, lower left, turned so that the middle lies at the lower right"
PART_WHOLE = "a part as large as the image"
TURNED = "a turned galaxy has the same parts, in another order"


def _corners(image, size):
    return [image[:size, :size], image[:size, -size:], image[-size:, -size:], image[-size:, :size]]


@wrong("9.9", rejected_by=TURNED)
def leaves_the_corners_unturned(image, size):
    return np.stack(_corners(image, size))


@wrong("9.9", rejected_by=OTHERS)
def turns_the_corners_clockwise(image, size):
    return np.stack([np.rot90(corner, -k) for k, corner in enumerate(_corners(image, size))])


@wrong("9.9", rejected_by=OTHERS)
def mirrors_the_corners(image, size):
    one, two, three, four = _corners(image, size)
    return np.stack([one, two[:, ::-1], three[::-1, ::-1], four[::-1]])


@wrong("9.9", rejected_by=OTHERS)
def takes_the_corners_row_by_row(image, size):
    one, two, three, four = _corners(image, size)
    return np.stack([one, np.rot90(two), np.rot90(four, 3), np.rot90(three, 2)])


@wrong("9.9", rejected_by=FIRST)
def cuts_from_the_middle(image, size):
    low, left = (image.shape[0] - size) // 2, (image.shape[1] - size) // 2
    middle = image[low : low + size, left : left + size]
    return np.stack([np.rot90(middle, k) for k in range(4)])


@wrong("9.9", rejected_by=FIRST)
def brings_the_middle_to_the_upper_left(image, size):
    return np.stack([np.rot90(corner, k + 2) for k, corner in enumerate(_corners(image, size))])


@wrong("9.9", rejected_by=OTHERS)
def cuts_quarters_without_overlap(image, size):
    corners = [image[:size, :size], image[:size, size:], image[size:, size:], image[size:, :size]]
    return np.stack([np.rot90(corner, k) for k, corner in enumerate(corners)])


@wrong("9.9", rejected_by=OTHERS)
def goes_round_the_other_way(image, size):
    return np.stack([np.rot90(image, -k)[:size, :size] for k in range(4)])


@wrong("9.9", rejected_by=OTHERS)
def turns_the_same_corner_four_times(image, size):
    return np.stack([np.rot90(image[:size, :size], k) for k in range(4)])


# 9.10 a network that knows no direction

PARAMETERS = "the same weights for all views: no parameter more than the network has"
INSIDE_MEAN = "its output is the mean of the network's outputs for the eight views"
EXACT = "turned and mirrored images get the same answer, to 1e-5"
SHARED = "it is the network itself: what changes its weights changes the model"


def _model(network, combine, turns=4, mirrors=(False, True)):
    inputs = keras.Input(network.input_shape[1:])
    views = []
    for mirror in mirrors:
        view = keras.ops.flip(inputs, axis=2) if mirror else inputs
        for _ in range(turns):
            views.append(view)
            view = keras.ops.flip(keras.ops.transpose(view, (0, 2, 1, 3)), axis=1)
    return keras.Model(inputs, combine(views))


@wrong("9.10", rejected_by=PARAMETERS)
def gives_each_view_a_network(network):
    average = keras.layers.Average()
    return _model(network, lambda views: average([keras.models.clone_model(network)(view) for view in views]))


@wrong("9.10", rejected_by=SHARED)
def copies_the_network(network):
    twin = keras.models.clone_model(network)
    twin.set_weights(network.get_weights())
    return _model(network, lambda views: keras.layers.Average()([twin(view) for view in views]))


@wrong("9.10", rejected_by=EXACT)
def has_no_mirrored_views(network):
    return _model(network, lambda views: keras.layers.Average()([network(v) for v in views]), mirrors=(False,))


@wrong("9.10", rejected_by=EXACT)
def has_no_quarter_turns(network):
    inputs = keras.Input(network.input_shape[1:])
    mirrored = keras.ops.flip(inputs, axis=2)
    views = [inputs, mirrored, keras.ops.flip(inputs, axis=1), keras.ops.flip(mirrored, axis=1)]
    return keras.Model(inputs, keras.layers.Average()([network(view) for view in views]))


@wrong("9.10", rejected_by=INSIDE_MEAN)
def averages_the_input(network):
    return _model(network, lambda views: network(keras.layers.Average()(views)))


@wrong("9.10", rejected_by=INSIDE_MEAN)
def takes_the_largest_output(network):
    return _model(network, lambda views: keras.layers.Maximum()([network(view) for view in views]))


@wrong("9.10", rejected_by=INSIDE_MEAN)
def adds_the_outputs(network):
    return _model(network, lambda views: keras.layers.Add()([network(view) for view in views]))


@wrong("9.10", rejected_by=EXACT)
def returns_the_network_as_it_is(network):
    return network


@wrong("9.10", rejected_by=PARAMETERS)
def returns_a_function(network):
    def predict(images):
        views = [np.rot90(x, k, axes=(1, 2)) for x in (images, images[:, :, ::-1]) for k in range(4)]
        return np.mean([network(np.ascontiguousarray(view)) for view in views], axis=0)

    return predict


add_wrong("9.10", PARAMETERS, lambda network: None, "returns_nothing")
