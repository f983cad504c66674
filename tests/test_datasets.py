"""Data sets: splits that never meet, the cache and what may befall it, the detector, and downloads that fail."""

import errno
import hashlib
import http.server
import os
import socket
import threading
from pathlib import Path

import h5py
import numpy as np
import pooch
import pytest

from utils import datasets, sky
from utils.datasets import cache as kept
from utils.datasets import galaxy10, hubble, morphology, surveys

SMALL = {"n_train": 12, "n_validation": 8, "n_test": 8, "size": 24}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache for each test, and nothing said before."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("COURSE_CACHE", str(folder))
    monkeypatch.setattr(kept, "_told", set())
    return folder


def same(one, two):
    """Whether two data sets hold the same bytes."""
    parts = [(getattr(one, s), getattr(two, s)) for s in datasets.SPLITS]
    return all(
        a.images.tobytes() == b.images.tobytes()
        and a.truth.tobytes() == b.truth.tobytes()
        and np.all(a.labels == b.labels)
        for a, b in parts
    )


# --- morphology -----------------------------------------------------------------------------------------------------


def test_what_morphology_gives():
    data = datasets.load("morphology", **SMALL)
    assert data.class_names == sky.KINDS and data.bands == ("g", "r", "i") and data.survey is sky.SURVEYS["HSC"]
    assert data.train.images.shape == (12, 24, 24, 3) and data.train.images.dtype == np.float32
    assert np.bincount(data.train.labels).tolist() == [3, 3, 3, 3]
    assert [sky.KINDS[label] for label in data.test.labels] == data.test.truth["kind"].tolist()
    assert data.description.startswith("Simulated galaxies of four kinds as HSC sees them")
    upright = datasets.load("morphology", **SMALL, upright=True)
    assert np.all(upright.train.truth["position_angle"] == 0)
    euclid = datasets.load("morphology", **SMALL, survey="Euclid")
    assert euclid.bands == ("VIS", "Y", "H")


def test_magnitudes_follow_the_depth_of_the_survey():
    for survey in ("SDSS", "HST"):
        truth = datasets.load("morphology", **SMALL, survey=survey).train.truth
        below = sky.SURVEYS[survey].depth[1] - truth["magnitude"]
        assert below.max() <= morphology.BRIGHT + 1e-4 and below.min() >= morphology.FAINT - 1e-4


def test_seeds_of_splits_never_meet():
    firsts = {
        (seed, name, split): tuple(datasets.stream(seed, name, split).integers(2**63, size=4))
        for seed in range(20)
        for name in ("morphology", "galaxy10", "m")
        for split in datasets.SPLITS
    }
    assert len(set(firsts.values())) == len(firsts)
    assert datasets.stream(0, "ab", "c").random() != datasets.stream(0, "a", "bc").random()


def test_no_galaxy_is_in_two_splits():
    rows = []
    for seed in (0, 1):
        data = datasets.load("morphology", n_train=200, n_validation=200, n_test=200, size=8, seed=seed)
        rows += [row.tobytes() for split in datasets.SPLITS for row in getattr(data, split).truth]
        rows += [image.tobytes() for split in datasets.SPLITS for image in getattr(data, split).images]
    assert len(set(rows)) == len(rows)


def test_same_seed_same_bytes(monkeypatch, tmp_path):
    one = datasets.load("morphology", **SMALL, seed=3)
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "another"))
    two = datasets.load("morphology", **SMALL, seed=3)
    assert same(one, two)
    assert not same(one, datasets.load("morphology", **SMALL, seed=4))


def test_the_size_of_one_split_does_not_change_another():
    one = datasets.load("morphology", **SMALL)
    two = datasets.load("morphology", **{**SMALL, "n_train": 4})
    assert one.test.images.tobytes() == two.test.images.tobytes()


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("morpholgy", {}, "unknown data set 'morpholgy'; there are morphology, surveys, fields, hubble, hsc,"),
        ("morphology", {"n_tran": 5}, "morphology has no option 'n_tran'; it has n_train=4000, n_validation=1000"),
        ("morphology", {"n_train": -1}, "n_train must be a whole number of at least 0, got -1"),
        ("morphology", {"n_train": 2.5}, "n_train must be a whole number"),
        ("morphology", {"size": 4}, "size must be a whole number of at least 8, got 4"),
        ("morphology", {"survey": "LSST"}, "survey must be one of SDSS, DES, HSC, HSC tile, HST, Euclid; got 'LSST'"),
        ("morphology", {"survey": sky.SURVEYS["HSC"]}, "survey must be one of SDSS"),
        ("morphology", {"upright": 3}, "upright must be True or False, got 3"),
        ("hubble", {"threshold": 0}, "threshold must be a positive number of sky sigmas, got 0"),
        ("hubble", {"seed": 0}, "hubble has no option 'seed'; it has size=64"),
        ("surveys", {"survey": "LSST"}, "survey must be one of SDSS, DES, HSC, HSC tile, HST, Euclid; got 'LSST'"),
        ("surveys", {"size": 4}, "size must be a whole number of at least 8, got 4"),
        ("surveys", {"n_test": -1}, "n_test must be a whole number of at least 0, got -1"),
        ("surveys", {"magnitude": (20, 17)}, "magnitude must be .bright limit, faint limit., the smaller number first"),
        ("surveys", {"magnitude": 17}, "magnitude must be .bright limit, faint limit."),
        ("surveys", {"upright": True}, "surveys has no option 'upright'; it has survey='SDSS', n_train=3000"),
        ("galaxy10", {"size": 60}, "size must divide 256, got 60"),
    ],
)
def test_mistakes_are_named(name, options, text):
    with pytest.raises(ValueError, match=text):
        datasets.load(name, **options)


# --- surveys --------------------------------------------------------------------------------------------------------


def test_two_surveys_see_the_same_galaxies_where_they_overlap_and_their_own_elsewhere():
    sdss, des = (datasets.load("surveys", **SMALL, survey=survey) for survey in ("SDSS", "DES"))
    assert sdss.class_names == ("smooth", "spiral")
    assert sdss.survey is sky.SURVEYS["SDSS"] and des.survey is sky.SURVEYS["DES"]
    for split in ("validation", "test"):
        one, two = getattr(sdss, split), getattr(des, split)
        assert one.truth.tobytes() == two.truth.tobytes() and np.all(one.labels == two.labels)
        assert one.images.shape == two.images.shape == (8, 24, 24, 3) and not np.any(one.images == two.images)
    rows = [row.tobytes() for data in (sdss, des) for row in data.train.truth]
    rows += [row.tobytes() for split in (sdss.validation, sdss.test) for row in split.truth]
    assert len(set(rows)) == len(rows) == 40
    assert np.bincount(des.test.labels).tolist() == [4, 4]


def test_the_deeper_and_sharper_survey_sees_more():
    both = [
        datasets.load("surveys", n_train=0, n_validation=0, n_test=40, survey=survey).test for survey in ("SDSS", "DES")
    ]
    magnitude = both[0].truth["magnitude"]
    assert 17.5 <= magnitude.min() and magnitude.max() <= 20.3
    sdss, des = (seen.images[:, 12:20, 12:20, 1].max(axis=(1, 2)) for seen in both)  # brightest pixel, in sky noise
    assert np.all(des > 2 * sdss)


def test_arms_alone_tell_spirals_from_smooth_discs():
    labels, truth = surveys.draw_discs(4000, np.random.default_rng(0), (17, 20))
    smooth, spiral = truth[labels == 0], truth[labels == 1]
    assert set(smooth["kind"]) == {"smooth"} and set(spiral["kind"]) == {"spiral"}
    assert np.all(smooth["arm_strength"] == 0) and np.all(spiral["arm_strength"] >= surveys.ARMS[0])
    assert not smooth["dust_depth"].any() and not smooth["clump_fraction"].any()
    for column in ("magnitude", "radius_arcsec", "axis_ratio", "bulge_fraction", "bar_fraction"):
        one, two = smooth[column], spiral[column]
        assert abs(one.mean() - two.mean()) < 4 * np.sqrt((one.var() + two.var()) / 2000), column
    colours = [
        np.median(sky.render(part[:200], sky.SURVEYS["DES"]).sum(axis=(1, 2)), axis=0) for part in (smooth, spiral)
    ]
    g_r = [-2.5 * np.log10(colour[0] / colour[1]) for colour in colours]
    assert abs(g_r[0] - g_r[1]) < 0.05


def test_surveys_hang_on_the_seed_and_on_nothing_else():
    one, two, other = (datasets.load("surveys", **SMALL, survey="DES", seed=seed) for seed in (3, 3, 4))
    assert same(one, two) and not same(one, other)
    fewer = datasets.load("surveys", **{**SMALL, "n_train": 4}, survey="DES", seed=3)
    assert fewer.test.images.tobytes() == one.test.images.tobytes()


# --- the cache ------------------------------------------------------------------------------------------------------


def test_the_second_time_comes_from_the_cache(cache, monkeypatch, capsys):
    one = datasets.load("morphology", **SMALL)
    monkeypatch.setattr(sky, "render", None)  # would fail
    assert same(one, datasets.load("morphology", **SMALL))
    assert [path.suffix for path in cache.iterdir()] == [".npz"]
    assert capsys.readouterr().out == ""


def test_other_code_makes_the_data_anew_and_drops_the_old_file(cache, monkeypatch):
    datasets.load("morphology", **SMALL)
    before = {path.name for path in cache.iterdir()}
    monkeypatch.setattr(kept, "code_version", lambda module: "another")
    datasets.load("morphology", **SMALL)
    after = {path.name for path in cache.iterdir()}
    assert len(after) == 1 and not before & after


def test_the_code_version_is_that_of_the_sources(monkeypatch, tmp_path):
    before = kept.code_version(morphology)
    package = tmp_path / "sky"
    package.mkdir()
    for path in Path(sky.__file__).parent.glob("*.py"):
        (package / path.name).write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))  # as git may on Windows
    monkeypatch.setattr(sky, "__file__", str(package / "__init__.py"))
    assert kept.code_version(morphology) == before != kept.code_version(hubble)
    (package / "profiles.py").write_text("# changed\n")
    assert kept.code_version(morphology) != before


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "other", "pickle"])
def test_a_damaged_file_is_made_again_with_one_line_said(cache, capsys, damage):
    one = datasets.load("morphology", **SMALL)
    (path,) = cache.iterdir()
    raw = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(raw[: len(raw) // 2])
    elif damage == "flipped":
        raw[len(raw) // 3] ^= 0xFF
        path.write_bytes(raw)
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "other":
        np.savez(path, something_else=np.zeros(3))
    else:
        np.savez(path, train_images=np.array([object()], dtype=object))
    assert same(one, datasets.load("morphology", **SMALL))
    assert capsys.readouterr().out == f"datasets: the cache file {path.name} is damaged and is made again\n"
    assert same(one, datasets.load("morphology", **SMALL)) and capsys.readouterr().out == ""


def test_a_file_is_there_whole_or_not_at_all(cache, monkeypatch):
    def cut_off(file, **arrays):
        file.write(b"half a file")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", cut_off)
    with pytest.raises(KeyboardInterrupt):
        datasets.load("morphology", **SMALL)
    assert list(cache.iterdir()) == []


def test_a_full_disk_costs_the_cache_and_not_the_data(cache, monkeypatch, capsys):
    def full(file, **arrays):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    assert len(datasets.load("morphology", **SMALL).train.images) == 12
    assert "could not be kept (No space left on device)" in capsys.readouterr().out
    assert list(cache.iterdir()) == []


def test_a_read_only_clone(tmp_path, monkeypatch, capsys):
    blocked = tmp_path / "a file"
    blocked.write_text("")  # a folder cannot be made below a file, not even by root
    monkeypatch.delenv("COURSE_CACHE")
    monkeypatch.setattr(kept, "ROOT", blocked)
    monkeypatch.setattr(os.path, "expanduser", lambda path: str(tmp_path / "home"))
    datasets.load("morphology", **SMALL)
    assert "data/cache cannot be written, so data are kept in your own cache folder" in capsys.readouterr().out
    assert len(list((tmp_path / "home").rglob("morphology-*.npz"))) == 1
    datasets.load("morphology", **SMALL)
    assert capsys.readouterr().out == ""  # said once


def test_where_nothing_can_be_written(monkeypatch, capsys):
    monkeypatch.setattr(kept, "_writable", lambda folder: False)
    assert same(datasets.load("morphology", **SMALL), datasets.load("morphology", **SMALL))
    assert capsys.readouterr().out == "datasets: $COURSE_CACHE cannot be written, so data are made anew each time\n"


# --- the Hubble deep field ------------------------------------------------------------------------------------------


def test_hubble_stamps():
    data = datasets.load("hubble")
    truth, images = data.test.truth, data.test.images
    assert images.shape == (len(truth), 64, 64, 3) and images.dtype == np.float32 and len(truth) > 300
    assert data.test.labels is None and data.survey is None and data.class_names == ()
    assert len(data.train.images) == 0 and data.train.images.shape[1:] == (64, 64, 3)
    assert np.all(np.diff(truth["flux"]) <= 0) and truth["area"].min() >= 60
    assert np.all((truth["ellipticity"] >= 0) & (truth["ellipticity"] < 1))
    assert np.all((truth["x"] >= 0) & (truth["x"] <= 999) & (truth["y"] >= 0) & (truth["y"] <= 871))
    middle = images[:100, 28:36, 28:36].mean(axis=(1, 2, 3))
    assert np.median(middle) > 5  # objects stand out in the middle of their stamps


def test_the_detector_finds_what_was_put_there():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:120, :150]
    centres = [(30.0, 40.0), (80.5, 110.25), (2.0, 60.0)]  # y, x; the last one at the edge
    image = rng.normal(0, 1, (120, 150))
    for cy, cx in centres:
        image += 60 * np.exp(-0.5 * (((x - cx) / 6) ** 2 + ((y - cy) / 3) ** 2))
    found = hubble._detect(image, 4.0, 60)
    assert len(found) == 3
    for cy, cx in centres[:2]:
        nearest = found[np.argmin(np.hypot(found["x"] - cx, found["y"] - cy))]
        assert (nearest["x"], nearest["y"]) == pytest.approx((cx, cy), abs=0.5)
        assert nearest["ellipticity"] == pytest.approx(0.5, abs=0.08)
        assert nearest["flux"] == pytest.approx(60 * 2 * np.pi * 18, rel=0.1)


def test_two_that_touch_are_two():
    y, x = np.mgrid[:80, :80]
    image = np.random.default_rng(1).normal(0, 1, (80, 80))
    for cx in (30, 46):
        image += 50 * np.exp(-0.5 * ((x - cx) ** 2 + (y - 40) ** 2) / 16)
    found = hubble._detect(image, 4.0, 60)
    assert sorted(found["x"].round().tolist()) == pytest.approx([30, 46], abs=1.1)


@pytest.mark.parametrize("size", [16, 17])
def test_stamps_at_the_edge_are_filled_with_sky(size):
    pixels = np.random.default_rng(2).normal(5, 1, (40, 50, 3)).astype(np.float32)
    truth = np.zeros(3, hubble.TRUTH)
    truth["x"], truth["y"] = (0, 25, 49), (0, 20, 39)
    stamps = hubble._cut(pixels, truth, size)
    assert np.all(stamps[0, : size // 2 - 1, : size // 2 - 1] == 0) and np.all(stamps[0, -4:, -4:] != 0)
    assert np.all(stamps[1] != 0)
    centre = (size - 1) // 2  # the pixel of the centre, or one of the two that it lies between
    assert any(np.array_equal(stamps[1, centre + d, centre + d], pixels[20, 25]) for d in (0, 1))


# --- Galaxy10 -------------------------------------------------------------------------------------------------------


@pytest.fixture
def tiny_galaxy10(tmp_path):
    """A file in the format of Galaxy10 DECaLS with 40 galaxies of 64 px."""
    rng = np.random.default_rng(0)
    path = tmp_path / "served" / "Galaxy10_tiny.h5"
    path.parent.mkdir()
    with h5py.File(path, "w") as file:
        file["images"] = rng.integers(0, 256, (40, 64, 64, 3), dtype=np.uint8)
        file["ans"] = (np.arange(40) % 10).astype(np.uint8)
        file["ra"], file["dec"] = rng.uniform(0, 360, 40), rng.uniform(-30, 30, 40)
        file["redshift"], file["pxscale"] = rng.uniform(0, 0.2, 40), np.full(40, 0.262)
    return path


@pytest.fixture
def server(tiny_galaxy10):
    """Address of a server on this machine; below /half/ it hangs up half-way."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            content = tiny_galaxy10.read_bytes()
            if "missing" in self.path:
                return self.send_error(404)
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if "half" in self.path else content)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.fixture
def sha256(tiny_galaxy10):
    return hashlib.sha256(tiny_galaxy10.read_bytes()).hexdigest()


def test_galaxy10_from_a_server(server, sha256, tiny_galaxy10, monkeypatch):
    monkeypatch.setattr(galaxy10, "URL", f"{server}/Galaxy10_tiny.h5")
    monkeypatch.setattr(galaxy10, "SHA256", sha256)
    data = datasets.load("galaxy10", size=32)
    assert [len(getattr(data, split).labels) for split in datasets.SPLITS] == [32, 4, 4]
    assert data.train.images.shape == (32, 32, 32, 3) and 0 <= data.train.images.min() <= data.train.images.max() <= 1
    ra = np.concatenate([getattr(data, split).truth["ra"] for split in datasets.SPLITS])
    with h5py.File(tiny_galaxy10) as file:
        assert sorted(ra) == sorted(file["ra"][:])  # each galaxy once
        row = int(np.flatnonzero(file["ra"][:] == data.test.truth["ra"][0])[0])
        assert data.test.labels[0] == file["ans"][row]
        blue = file["images"][row][:2, :2, 2].mean() / 255
    assert data.test.images[0, 0, 0, 0] == pytest.approx(blue, abs=1e-6)
    assert len(data.class_names) == 10


def test_a_file_that_is_there_is_not_fetched_again(server, sha256, tmp_path):
    path = datasets.fetch(f"{server}/one.h5", sha256, tmp_path / "folder")
    assert datasets.fetch("http://127.0.0.1:9/one.h5", sha256, tmp_path / "folder") == path


def closed_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ("half/one.h5", "the connection was cut off half-way"),
        ("missing/one.h5", "no answer from the server .HTTPError"),
        ("wrong checksum", "its checksum is wrong"),
        ("no connection", "no answer from the server .ConnectionError"),
        ("no space", "it could not be written .No space left on device"),
    ],
)
def test_downloads_that_fail(server, sha256, tmp_path, monkeypatch, where, reason):
    url = f"{server}/{where}" if where.endswith(".h5") else f"{server}/one.h5"
    if where == "wrong checksum":
        sha256 = "0" * 64
    elif where == "no connection":
        url = f"http://127.0.0.1:{closed_port()}/one.h5"
    elif where == "no space":

        def full(self, url, output_file, *_, **__):
            Path(output_file).write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(pooch.HTTPDownloader, "__call__", full)
    folder = tmp_path / "folder"
    with pytest.raises(datasets.DownloadError, match=reason) as caught:
        datasets.fetch(url, sha256, folder)
    assert 'datasets.load("morphology")' in str(caught.value)
    assert [path for path in folder.rglob("*") if path.is_file()] == []
