"""Wrong answers to the exercises of lab 01."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tests.wrong_answers import wrong

# --- 1.1 colour histogram -------------------------------------------------------------------------------------------


@wrong("1.1", rejected_by="values outside the range count in the end bins")
def leaves_out_what_is_outside(image, bins=8, value_range=(0.0, 1.0)):
    bands = [np.histogram(image[..., b], bins, value_range)[0] / image[..., b].size for b in range(image.shape[-1])]
    return np.concatenate(bands)


@wrong("1.1", rejected_by="the shares of each band add up to one")
def counts_in_place_of_shares(image, bins=8, value_range=(0.0, 1.0)):
    image = np.clip(image, *value_range)
    return np.concatenate([np.histogram(image[..., b], bins, value_range)[0] for b in range(image.shape[-1])])


@wrong("1.1", rejected_by="the shares of each band add up to one")
def density_in_place_of_shares(image, bins=8, value_range=(0.0, 1.0)):
    image = np.clip(image, *value_range)
    bands = [np.histogram(image[..., b], bins, value_range, density=True)[0] for b in range(image.shape[-1])]
    return np.concatenate(bands)


@wrong("1.1", rejected_by="the shares of each band add up to one")
def divides_by_the_values_of_all_bands(image, bins=8, value_range=(0.0, 1.0)):
    image = np.clip(image, *value_range)
    bands = [np.histogram(image[..., b], bins, value_range)[0] for b in range(image.shape[-1])]
    return np.concatenate(bands) / image.size


@wrong("1.1", rejected_by="band after band")
def reshapes_without_moving_the_axis(image, bins=8, value_range=(0.0, 1.0)):
    image = np.clip(image, *value_range)
    bands = image.reshape(image.shape[-1], -1)
    return np.concatenate([np.histogram(band, bins, value_range)[0] / band.size for band in bands])


@wrong("1.1", rejected_by="band after band")
def bins_before_bands(image, bins=8, value_range=(0.0, 1.0)):
    image = np.clip(image, *value_range)
    bands = [np.histogram(image[..., b], bins, value_range)[0] / image[..., b].size for b in range(image.shape[-1])]
    return np.stack(bands, axis=1).ravel()


@wrong("1.1", rejected_by="the upper end of the range falls into the last bin")
def loses_the_upper_end(image, bins=8, value_range=(0.0, 1.0)):
    low, high = value_range
    number = np.floor((np.clip(image, low, high) - low) / (high - low) * bins).astype(int)
    bands = [np.bincount(number[..., b].ravel(), minlength=bins)[:bins] for b in range(image.shape[-1])]
    return np.concatenate(bands) / (image.shape[0] * image.shape[1])


@wrong("1.1", rejected_by="band after band")
def forgets_the_range(image, bins=8, value_range=(0.0, 1.0)):
    image = np.clip(image, *value_range)
    return np.concatenate([np.histogram(image[..., b], bins)[0] / image[..., b].size for b in range(image.shape[-1])])


@wrong("1.1", rejected_by="the shares of each band add up to one")
def list_of_histograms(image, bins=8, value_range=(0.0, 1.0)):
    image = np.clip(image, *value_range)
    return [np.histogram(image[..., b], bins, value_range)[0] / image[..., b].size for b in range(image.shape[-1])]


# --- 1.2 gradients --------------------------------------------------------------------------------------------------


def differences(image):
    """Differences along rows and along columns, as they should be."""
    image = np.asarray(image, dtype=float)
    down, right = np.zeros(image.shape), np.zeros(image.shape)
    down[1:-1], right[:, 1:-1] = image[2:] - image[:-2], image[:, 2:] - image[:, :-2]
    return down, right


def polar(down, right):
    return np.hypot(down, right), np.rad2deg(np.arctan2(down, right)) % 180


@wrong("1.2", rejected_by="orientations lie from 0 to 180 degrees")
def orientation_from_minus_90_to_270(image):
    """As in a published assignment: arctan of the ratio, plus 180 where the brightness falls."""
    down, right = differences(image)
    orientation = np.rad2deg(np.arctan(down / np.where(right == 0, 1e-5, right))) + 180 * (right < 0)
    return np.hypot(down, right), orientation


@wrong("1.2", rejected_by="from bright to dark counts as from dark to bright")
def signed_orientation(image):
    down, right = differences(image)
    return np.hypot(down, right), np.rad2deg(np.arctan2(down, right)) % 360


@wrong("1.2", rejected_by="from bright to dark counts as from dark to bright")
def negative_differences_are_dropped(image):
    down, right = differences(image)
    return polar(np.maximum(down, 0), np.maximum(right, 0))


@wrong("1.2", rejected_by="a ramp of slope one has magnitude two")
def numpy_gradient(image):
    return polar(*np.gradient(np.asarray(image, dtype=float)))


@wrong("1.2", rejected_by="ramps at known angles")
def axes_of_numpy_gradient_swapped(image):
    down, right = differences(image)
    return polar(right, down)


@wrong("1.2", rejected_by="ramps at known angles")
def rows_counted_upwards(image):
    down, right = differences(image)
    return polar(-down, right)


@wrong("1.2", rejected_by="ramps at known angles")
def radians(image):
    down, right = differences(image)
    return np.hypot(down, right), np.arctan2(down, right) % np.pi


@wrong("1.2", rejected_by="no difference across the border")
def wraps_around_the_border(image):
    image = np.asarray(image, dtype=float)
    return polar(*(np.roll(image, -1, axis) - np.roll(image, 1, axis) for axis in (0, 1)))


@wrong("1.2", rejected_by="rows stay rows and columns stay columns")
def transposes_non_square_images(image):
    magnitude, orientation = polar(*differences(image))
    return magnitude.T, orientation.T


@wrong("1.2", rejected_by="whole numbers do not wrap around")
def subtracts_unsigned_numbers(image):
    down, right = np.zeros(image.shape), np.zeros(image.shape)
    down[1:-1], right[:, 1:-1] = image[2:] - image[:-2], image[:, 2:] - image[:, :-2]
    return polar(down, right)


@wrong("1.2", rejected_by="a constant image has no gradient")
def divides_zero_by_zero(image):
    down, right = differences(image)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.hypot(down, right), np.rad2deg(np.arctan(down / right)) % 180


@wrong("1.2", rejected_by="no difference across the border")
def zeroes_the_whole_frame(image):
    down, right = differences(image)
    down[:, [0, -1]] = 0
    right[[0, -1]] = 0
    return polar(down, right)


@wrong("1.2", rejected_by="no difference across the border")
def repeats_the_border(image):
    padded = np.pad(np.asarray(image, dtype=float), 1, mode="edge")
    return polar(padded[2:, 1:-1] - padded[:-2, 1:-1], padded[1:-1, 2:] - padded[1:-1, :-2])


@wrong("1.2", rejected_by="no difference across the border")
def zeros_beyond_the_border(image):
    padded = np.pad(np.asarray(image, dtype=float), 1)
    return polar(padded[2:, 1:-1] - padded[:-2, 1:-1], padded[1:-1, 2:] - padded[1:-1, :-2])


# --- 1.3 shared votes -----------------------------------------------------------------------------------------------


def votes_at(magnitude, position, bins, share=lambda rest: rest):
    """Votes for the bins below and above `position`, the upper one with the given share, on a ring."""
    below = np.floor(position).astype(int)
    upper = share(position - below)
    votes = np.zeros((*magnitude.shape, bins))
    rows, columns = np.indices(magnitude.shape)
    np.add.at(votes, (rows, columns, below % bins), magnitude * (1 - upper))
    np.add.at(votes, (rows, columns, (below + 1) % bins), magnitude * upper)
    return votes


@wrong("1.3", rejected_by="half-way between two centres: half and half")
def hard_votes(magnitude, orientation, bins=9):
    return votes_at(magnitude, np.floor(orientation * bins / 180), bins)


@wrong("1.3", rejected_by="a turn by one degree moves few votes")
def nearest_centre_takes_all(magnitude, orientation, bins=9):
    return votes_at(magnitude, np.round(orientation * bins / 180 - 0.5), bins)


@wrong("1.3", rejected_by="a centre's angle votes for one bin alone")
def centres_at_the_edges(magnitude, orientation, bins=9):
    return votes_at(magnitude, orientation * bins / 180, bins)


@wrong("1.3", rejected_by="the nearer centre gets more")
def shares_swapped(magnitude, orientation, bins=9):
    return votes_at(magnitude, orientation * bins / 180 - 0.5, bins, share=lambda rest: 1 - rest)


@wrong("1.3", rejected_by="the bins form a ring")
def the_ends_do_not_meet(magnitude, orientation, bins=9):
    position = np.clip(orientation * bins / 180 - 0.5, 0, bins - 1)
    return votes_at(magnitude, position, bins)


@wrong("1.3", rejected_by="the votes of a pixel add up to its magnitude")
def votes_beyond_the_ends_are_lost(magnitude, orientation, bins=9):
    """As where orientations run over 360 degrees and bins over 180: what lies beyond is dropped."""
    centres = (np.arange(bins) + 0.5) * 180 / bins
    distance = np.abs(orientation[..., None] - centres) * bins / 180
    return magnitude[..., None] * np.maximum(1 - distance, 0)


@wrong("1.3", rejected_by="the votes of a pixel add up to its magnitude")
def forgets_the_magnitude(magnitude, orientation, bins=9):
    return votes_at(np.ones_like(magnitude), orientation * bins / 180 - 0.5, bins)


@wrong("1.3", rejected_by="other numbers of bins and number types")
def always_nine_bins(magnitude, orientation, bins=9):
    return votes_at(magnitude, orientation / 20 - 0.5, 9)


@wrong("1.3", rejected_by="the bins form a ring")
def whole_part_in_place_of_floor(magnitude, orientation, bins=9):
    position = orientation * bins / 180 - 0.5
    below = position.astype(int)
    share = position - below
    votes = np.zeros((*magnitude.shape, bins))
    rows, columns = np.indices(magnitude.shape)
    votes[rows, columns, below % bins] = magnitude * (1 - share)
    votes[rows, columns, (below + 1) % bins] = magnitude * share
    return votes


@wrong("1.3", rejected_by="the bins form a ring")
def clips_the_bin_numbers(magnitude, orientation, bins=9):
    position = orientation * bins / 180 - 0.5
    below = np.floor(position).astype(int)
    share = position - below
    votes = np.zeros((*magnitude.shape, bins))
    rows, columns = np.indices(magnitude.shape)
    votes[rows, columns, np.clip(below, 0, bins - 1)] = magnitude * (1 - share)
    votes[rows, columns, np.clip(below + 1, 0, bins - 1)] = magnitude * share
    return votes


# --- 1.4 cells ------------------------------------------------------------------------------------------------------


@wrong("1.4", rejected_by="a cell sums its own pixels")
def mean_in_place_of_sum(votes, cell_size=8):
    rows, columns = votes.shape[0] // cell_size, votes.shape[1] // cell_size
    whole = votes[: rows * cell_size, : columns * cell_size]
    return whole.reshape(rows, cell_size, columns, cell_size, -1).mean(axis=(1, 3))


@wrong("1.4", rejected_by="a cell sums its own pixels")
def reshape_mixes_cells(votes, cell_size=8):
    rows, columns = votes.shape[0] // cell_size, votes.shape[1] // cell_size
    whole = votes[: rows * cell_size, : columns * cell_size]
    return whole.reshape(rows, columns, cell_size, cell_size, -1).sum(axis=(2, 3))


@wrong("1.4", rejected_by="rows before columns, and bins last")
def transposes_cells(votes, cell_size=8):
    rows, columns = votes.shape[0] // cell_size, votes.shape[1] // cell_size
    whole = votes[: rows * cell_size, : columns * cell_size]
    return whole.reshape(rows, cell_size, columns, cell_size, -1).sum(axis=(1, 3)).transpose(1, 0, 2)


@wrong("1.4", rejected_by="what does not fill a cell is left out")
def keeps_cells_that_are_not_full(votes, cell_size=8):
    rows, columns = -(-votes.shape[0] // cell_size), -(-votes.shape[1] // cell_size)
    padded = np.zeros((rows * cell_size, columns * cell_size, votes.shape[2]))
    padded[: votes.shape[0], : votes.shape[1]] = votes
    return padded.reshape(rows, cell_size, columns, cell_size, -1).sum(axis=(1, 3))


@wrong("1.4", rejected_by="what does not fill a cell is left out")
def wants_whole_cells(votes, cell_size=8):
    rows, columns = votes.shape[0] // cell_size, votes.shape[1] // cell_size
    return votes.reshape(rows, cell_size, columns, cell_size, -1).sum(axis=(1, 3))


@wrong("1.4", rejected_by="no vote is lost and none counted twice")
def takes_one_pixel_in_a_cell(votes, cell_size=8):
    rows, columns = votes.shape[0] // cell_size, votes.shape[1] // cell_size
    return votes[: rows * cell_size : cell_size, : columns * cell_size : cell_size].copy()


@wrong("1.4", rejected_by="cells of other sizes")
def always_eight_pixels(votes, cell_size=8):
    rows, columns = votes.shape[0] // 8, votes.shape[1] // 8
    return votes[: rows * 8, : columns * 8].reshape(rows, 8, columns, 8, -1).sum(axis=(1, 3))


# --- 1.5 blocks -----------------------------------------------------------------------------------------------------


def blocks_of(cells, block_size):
    return np.moveaxis(sliding_window_view(cells, (block_size, block_size), axis=(0, 1)), 2, -1)


def unit(blocks, epsilon, axes=(2, 3, 4)):
    return blocks / np.sqrt((blocks**2).sum(axis=axes, keepdims=True) + epsilon**2)


@wrong("1.5", rejected_by="a blank block stays zero")
def no_epsilon(cells, block_size=2, epsilon=1e-5):
    with np.errstate(invalid="ignore"):
        return unit(np.minimum(unit(blocks_of(cells, block_size), 0.0), 0.2), 0.0)


@wrong("1.5", rejected_by="one strong direction is cut at 0.2")
def does_not_cut(cells, block_size=2, epsilon=1e-5):
    return unit(blocks_of(cells, block_size), epsilon)


@wrong("1.5", rejected_by="each block has length one")
def does_not_normalise_again(cells, block_size=2, epsilon=1e-5):
    return np.minimum(unit(blocks_of(cells, block_size), epsilon), 0.2)


@wrong("1.5", rejected_by="one strong direction is cut at 0.2")
def cuts_before_normalising(cells, block_size=2, epsilon=1e-5):
    return unit(np.minimum(blocks_of(cells, block_size), 0.2), epsilon)


@wrong("1.5", rejected_by="the values are those of L2-Hys")
def normalises_each_cell(cells, block_size=2, epsilon=1e-5):
    blocks = blocks_of(cells, block_size)
    return unit(np.minimum(unit(blocks, epsilon, axes=4), 0.2), epsilon, axes=4)


@wrong("1.5", rejected_by="the values are those of L2-Hys")
def normalises_the_whole_image(cells, block_size=2, epsilon=1e-5):
    blocks = blocks_of(cells, block_size)
    everything = (0, 1, 2, 3, 4)
    return unit(np.minimum(unit(blocks, epsilon, everything), 0.2), epsilon, everything)


@wrong("1.5", rejected_by="each block has length one")
def divides_by_the_sum(cells, block_size=2, epsilon=1e-5):
    blocks = blocks_of(cells, block_size)
    for limit in (0.2, np.inf):
        blocks = np.minimum(blocks / (blocks.sum(axis=(2, 3, 4), keepdims=True) + epsilon), limit)
    return blocks


@wrong("1.5", rejected_by="blocks overlap")
def blocks_side_by_side(cells, block_size=2, epsilon=1e-5):
    blocks = blocks_of(cells, block_size)[::block_size, ::block_size]
    return unit(np.minimum(unit(blocks, epsilon), 0.2), epsilon)


@wrong("1.5", rejected_by="blocks overlap")
def bins_before_the_window(cells, block_size=2, epsilon=1e-5):
    blocks = sliding_window_view(cells, (block_size, block_size), axis=(0, 1))
    return unit(np.minimum(unit(blocks, epsilon), 0.2), epsilon)


@wrong("1.5", rejected_by="epsilon tames blocks weaker than itself")
def epsilon_not_squared(cells, block_size=2, epsilon=1e-5):
    return unit(np.minimum(unit(blocks_of(cells, block_size), epsilon**0.5), 0.2), epsilon**0.5)


@wrong("1.5", rejected_by="the values are those of L2-Hys")
def maximum_in_place_of_minimum(cells, block_size=2, epsilon=1e-5):
    return unit(np.maximum(unit(blocks_of(cells, block_size), epsilon), 0.2), epsilon)


@wrong("1.5", rejected_by="epsilon tames blocks weaker than itself")
def epsilon_outside_the_root(cells, block_size=2, epsilon=1e-5):
    blocks = blocks_of(cells, block_size)
    for limit in (0.2, np.inf):
        length = np.sqrt((blocks**2).sum(axis=(2, 3, 4), keepdims=True)) + epsilon
        blocks = np.minimum(blocks / length, limit)
    return blocks


# --- 1.6 the whole descriptor ---------------------------------------------------------------------------------------


def shared(magnitude, orientation, bins=9):
    return votes_at(magnitude, orientation * bins / 180 - 0.5, bins)


def hard(magnitude, orientation, bins=9):
    return votes_at(magnitude, np.floor(orientation * bins / 180), bins)


def cells_of(votes, cell_size):
    rows, columns = votes.shape[0] // cell_size, votes.shape[1] // cell_size
    whole = votes[: rows * cell_size, : columns * cell_size]
    return whole.reshape(rows, cell_size, columns, cell_size, -1).sum(axis=(1, 3))


def blocks_normalised(cells, block_size):
    return unit(np.minimum(unit(blocks_of(cells, block_size), 1e-5), 0.2), 1e-5)


@wrong("1.6", rejected_by="contrast inversion changes nothing")
def half_of_the_magnitude_is_dropped(image, vote=shared, bins=9, cell_size=8, block_size=2):
    """As in a published assignment: orientations from -90 to 270 degrees, bins from 0 to 180."""
    down, right = differences(image)
    orientation = np.rad2deg(np.arctan(down / np.where(right == 0, 1e-5, right))) + 180 * (right < 0)
    magnitude = np.hypot(down, right) * ((orientation >= 0) & (orientation < 180))
    votes = vote(magnitude, np.clip(orientation, 0, 179.9), bins)
    return blocks_normalised(cells_of(votes, cell_size), block_size).ravel()


@wrong("1.6", rejected_by="with hard votes it is scikit-image's descriptor")
def transposes_the_image(image, vote=shared, bins=9, cell_size=8, block_size=2):
    """As in a published assignment: height and width exchanged."""
    votes = vote(*polar(*differences(np.asarray(image).T)), bins)
    return blocks_normalised(cells_of(votes, cell_size), block_size).ravel()


@wrong("1.6", rejected_by="with hard votes it is scikit-image's descriptor")
def ignores_vote(image, vote=shared, bins=9, cell_size=8, block_size=2):
    votes = shared(*polar(*differences(image)), bins)
    return blocks_normalised(cells_of(votes, cell_size), block_size).ravel()


@wrong("1.6", rejected_by="votes are shared when nothing else is said")
def hard_votes_by_default(image, vote=hard, bins=9, cell_size=8, block_size=2):
    votes = vote(*polar(*differences(image)), bins)
    return blocks_normalised(cells_of(votes, cell_size), block_size).ravel()


@wrong("1.6", rejected_by="one number for each bin of each cell of each block")
def does_not_flatten(image, vote=shared, bins=9, cell_size=8, block_size=2):
    return blocks_normalised(cells_of(vote(*polar(*differences(image)), bins), cell_size), block_size)


@wrong("1.6", rejected_by="a brighter image on a brighter sky changes nothing")
def forgets_to_normalise(image, vote=shared, bins=9, cell_size=8, block_size=2):
    return blocks_of(cells_of(vote(*polar(*differences(image)), bins), cell_size), block_size).ravel()


@wrong("1.6", rejected_by="with hard votes it is scikit-image's descriptor")
def ignores_the_settings(image, vote=shared, bins=9, cell_size=8, block_size=2):
    return blocks_normalised(cells_of(vote(*polar(*differences(image)), 9), 8), 2).ravel()


@wrong("1.6", rejected_by="a mirrored image has the mirrored descriptor")
def border_on_one_side(image, vote=shared, bins=9, cell_size=8, block_size=2):
    image = np.asarray(image, dtype=float)
    down, right = np.zeros(image.shape), np.zeros(image.shape)
    down[:-1], right[:, :-1] = np.diff(image, axis=0), np.diff(image, axis=1)
    return blocks_normalised(cells_of(vote(*polar(down, right), bins), cell_size), block_size).ravel()


@wrong("1.6", rejected_by="with hard votes it is scikit-image's descriptor")
def magnitude_and_orientation_exchanged(image, vote=shared, bins=9, cell_size=8, block_size=2):
    orientation, magnitude = polar(*differences(image))
    return blocks_normalised(cells_of(vote(magnitude, orientation, bins), cell_size), block_size).ravel()


# --- 1.7 asymmetry --------------------------------------------------------------------------------------------------


def asymmetry_of(image, turned, noise=0.0):
    image, turned = np.asarray(image, dtype=float), np.asarray(turned, dtype=float)
    return (np.abs(image - turned).sum() - noise) / np.abs(image).sum()


def noise_share(image, sky_noise):
    return image.size * 2 * sky_noise / np.sqrt(np.pi)


@wrong("1.7", rejected_by="half a turn, not a mirror or a quarter turn")
def mirrors_left_and_right(image, sky_noise=0.0):
    return asymmetry_of(image, image[:, ::-1], noise_share(image, sky_noise))


@wrong("1.7", rejected_by="half a turn, not a mirror or a quarter turn")
def mirrors_top_and_bottom(image, sky_noise=0.0):
    return asymmetry_of(image, image[::-1], noise_share(image, sky_noise))


@wrong("1.7", rejected_by="half a turn, not a mirror or a quarter turn")
def quarter_turn(image, sky_noise=0.0):
    return asymmetry_of(image, np.rot90(image), noise_share(image, sky_noise))


@wrong("1.7", rejected_by="a star off the centre has asymmetry two")
def differences_cancel(image, sky_noise=0.0):
    image = np.asarray(image, dtype=float)
    return (image - image[::-1, ::-1]).sum() / image.sum()


@wrong("1.7", rejected_by="a star off the centre has asymmetry two")
def halves_it(image, sky_noise=0.0):
    return asymmetry_of(image, image[::-1, ::-1], noise_share(image, sky_noise)) / 2


@wrong("1.7", rejected_by="a star off the centre has asymmetry two")
def squares_in_place_of_absolute_values(image, sky_noise=0.0):
    image = np.asarray(image, dtype=float)
    return ((image - image[::-1, ::-1]) ** 2).sum() / image.sum()


@wrong("1.7", rejected_by="noise alone has none once its share is taken off")
def forgets_the_noise(image, sky_noise=0.0):
    return asymmetry_of(image, image[::-1, ::-1])


@wrong("1.7", rejected_by="noise alone has none once its share is taken off")
def noise_of_one_pixel(image, sky_noise=0.0):
    return asymmetry_of(image, image[::-1, ::-1], 2 * sky_noise / np.sqrt(np.pi))


@wrong("1.7", rejected_by="a brighter galaxy has the same asymmetry")
def divides_by_the_number_of_pixels(image, sky_noise=0.0):
    image = np.asarray(image, dtype=float)
    return (np.abs(image - image[::-1, ::-1]).sum() - noise_share(image, sky_noise)) / image.size


@wrong("1.7", rejected_by="whole numbers do not wrap around")
def subtracts_unsigned_pixels(image, sky_noise=0.0):
    return (np.abs(image - image[::-1, ::-1]).sum() - noise_share(image, sky_noise)) / np.abs(image).sum()


@wrong("1.7", rejected_by="noise alone has none once its share is taken off")
def never_negative(image, sky_noise=0.0):
    return max(0.0, asymmetry_of(image, image[::-1, ::-1], noise_share(image, sky_noise)))


@wrong("1.7", rejected_by="noise alone has none once its share is taken off")
def absolute_value_of_the_numerator(image, sky_noise=0.0):
    return abs(asymmetry_of(image, image[::-1, ::-1], noise_share(image, sky_noise)))


@wrong("1.7", rejected_by="a star off the centre has asymmetry two")
def brackets_forgotten(image, sky_noise=0.0):
    image = np.asarray(image, dtype=float)
    return np.abs(image - image[::-1, ::-1]).sum() - noise_share(image, sky_noise) / np.abs(image).sum()


@wrong("1.7", rejected_by="noise alone has none once its share is taken off")
def noise_of_the_rows(image, sky_noise=0.0):
    return asymmetry_of(image, image[::-1, ::-1], len(image) * 2 * sky_noise / np.sqrt(np.pi))


@wrong("1.7", rejected_by="noise alone has none once its share is taken off")
def root_of_two_sigma(image, sky_noise=0.0):
    return asymmetry_of(image, image[::-1, ::-1], image.size * np.sqrt(2) * sky_noise)


@wrong("1.7", rejected_by="noise alone has none once its share is taken off")
def divides_by_the_signed_sum(image, sky_noise=0.0):
    image = np.asarray(image, dtype=float)
    return (np.abs(image - image[::-1, ::-1]).sum() - noise_share(image, sky_noise)) / image.sum()


# --- 1.8 Gini coefficient -------------------------------------------------------------------------------------------


def gini_of(x, ranks=None, pairs=None):
    n = x.size
    ranks = np.arange(1, n + 1) if ranks is None else ranks
    return ((2 * ranks - n - 1) * x).sum() / (x.mean() * (pairs or n * (n - 1))) if x.any() else 0.0


def magnitudes(values):
    return np.abs(np.asarray(values, dtype=float)).ravel()


@wrong("1.8", rejected_by="all the light in one pixel gives 1")
def does_not_sort(values):
    return gini_of(magnitudes(values))


@wrong("1.8", rejected_by="all the light in one pixel gives 1")
def sorts_from_bright_to_faint(values):
    return gini_of(np.sort(magnitudes(values))[::-1])


@wrong("1.8", rejected_by="all the light in one pixel gives 1")
def divides_by_n_squared(values):
    x = np.sort(magnitudes(values))
    return gini_of(x, pairs=x.size**2)


@wrong("1.8", rejected_by="equal pixels give 0")
def ranks_from_zero(values):
    x = np.sort(magnitudes(values))
    return gini_of(x, ranks=np.arange(x.size))


@wrong("1.8", rejected_by="neither the shape nor the brightness matters")
def sorts_each_row(values):
    x = np.sort(np.abs(np.asarray(values, dtype=float)), axis=-1)
    return gini_of(x.ravel())


@wrong("1.8", rejected_by="neither the shape nor the brightness matters")
def forgets_the_mean(values):
    x = np.sort(magnitudes(values))
    n = x.size
    return ((2 * np.arange(1, n + 1) - n - 1) * x).sum() / (n * (n - 1))


@wrong("1.8", rejected_by="negative pixels count by their absolute value")
def keeps_the_sign(values):
    return gini_of(np.sort(np.asarray(values, dtype=float), axis=None))


@wrong("1.8", rejected_by="an image without light gives 0")
def divides_zero_light(values):
    x = np.sort(magnitudes(values))
    n = x.size
    with np.errstate(invalid="ignore"):
        return ((2 * np.arange(1, n + 1) - n - 1) * x).sum() / (x.mean() * n * (n - 1))


@wrong("1.8", rejected_by="whole numbers do not wrap around")
def sums_unsigned_products(values):
    x = np.sort(np.abs(values), axis=None)
    n = x.size
    if not x.any():
        return 0.0
    weights = (2 * np.arange(1, n + 1) - n - 1).astype(x.dtype)
    return (weights * x).sum() / (x.mean() * n * (n - 1))


@wrong("1.8", rejected_by="negative pixels count by their absolute value")
def sorts_before_the_absolute_value(values):
    return gini_of(np.abs(np.sort(np.asarray(values, dtype=float), axis=None)))
