"""The parts that a galaxy is made of, drawn for many galaxies at once from their rows of the truth table."""

import numpy as np

from utils.sky import profiles


class Part:
    """A part of some galaxies: called with x, y in arcsec it returns (outputs, n, y, x) surface brightness."""

    outputs = lights = 1  # maps it makes, and how many of them are light

    def __init__(self, rows):
        self.rows, self.n = rows, len(rows)

    def column(self, name):
        return self.rows[name][:, None, None]

    def turned(self, x, y, name="position_angle"):
        """Position along and across an axis that is turned by the angle in a column."""
        angle = np.radians(self.column(name))
        cos, sin = np.cos(angle), np.sin(angle)
        return x * cos + y * sin, y * cos - x * sin


class Bulge(Part):
    def __call__(self, x, y):
        u, v = self.turned(x, y)
        light = profiles.sersic(
            u, v, self.column("bulge_radius_arcsec"), self.column("bulge_index"), self.column("bulge_axis_ratio")
        )
        return (light * self.column("bulge_fraction"))[None]


class Bar(Part):
    """A Gaussian four times as long as wide, in the plane of the disc."""

    def __call__(self, x, y):
        u, v = self.turned(x, y)
        along, across = self.turned(u, v / self.column("axis_ratio"), "bar_angle")
        light = profiles.sersic(along, across, self.column("bar_radius_arcsec"), np.float32(0.5), np.float32(0.25))
        return (light * (self.column("bar_fraction") / self.column("axis_ratio")))[None]


class Companion(Part):
    def __call__(self, x, y):
        u, v = self.turned(x, y)
        along, across = self.turned(u - self.column("companion_x"), v - self.column("companion_y"), "companion_angle")
        light = profiles.sersic(
            along, across, self.column("companion_radius_arcsec"), np.float32(1), self.column("companion_axis_ratio")
        )
        return (light * self.column("companion_fraction"))[None]


class Face(Part):
    """An exponential disc seen at an angle, with arms of young stars and dust on their inner edge."""

    outputs, lights = 3, 2

    def __init__(self, rows, share):
        super().__init__(rows)
        self.share = share[:, None, None]
        self.armed = rows["arm_strength"] > 0

    def __call__(self, x, y):
        u, v = self.turned(x, y)
        radius, axis_ratio = self.column("radius_arcsec"), self.column("axis_ratio")
        disc = profiles.sersic(u, v, radius, np.float32(1), axis_ratio) * self.share
        out = np.zeros((3, *disc.shape), np.float32)
        out[0] = disc
        if self.armed.any():
            out[:, self.armed] = self._arms(disc[self.armed], u[self.armed], v[self.armed])
        return out

    def _arms(self, disc, u, v):
        column = {name: self.rows[name][self.armed][:, None, None] for name in self.rows.dtype.names}
        u, v = u / column["radius_arcsec"], v / (column["radius_arcsec"] * column["axis_ratio"])
        squared = u * u + v * v
        distance, angle = 2 * np.sqrt(squared), np.arctan2(v, u)
        pitch, phase = np.radians(column["arm_pitch"]), np.radians(column["arm_phase"])
        count, sharpness = column["arm_count"], column["arm_sharpness"]
        contrast = profiles.spiral_arms(distance, angle, count, pitch, phase, sharpness)
        inner = phase + np.copysign(np.float32(0.45), pitch) / count
        behind = profiles.spiral_arms(distance, angle, count, pitch, inner, 2 * sharpness)
        outside = squared / (squared + np.float32(0.04))  # arms fade into the bulge
        young = disc * column["arm_strength"]
        dust = column["dust_depth"] * behind * outside * np.exp(-distance * np.float32(0.6))
        return np.stack([disc - young, young * (1 + outside * (contrast - 1)), dust])


class Side(Part):
    """A disc seen from its side, with a thin layer of dust."""

    outputs, lights = 3, 2

    def __init__(self, rows, share):
        super().__init__(rows)
        self.share = share[:, None, None]

    def __call__(self, x, y):
        u, v = self.turned(x, y)
        length = self.column("radius_arcsec") / np.float32(1.678)
        height = length * self.column("axis_ratio")
        light = profiles.edge_on(u, v, length, height) * self.share
        dust = self.column("dust_depth") * np.exp(
            -np.abs(u) / (2 * length) - np.square(v / (np.float32(0.35) * height))
        )
        return np.stack([light, np.zeros_like(light), dust])
