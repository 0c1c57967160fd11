import gzip
import hashlib
import struct

import numpy as np
import pytest
import torch

from topoprior.imaging.datasets import digits
from topoprior.imaging.datasets.digits import IdxFile


def idx(array):
    array = np.asarray(array, np.uint8)
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def contents(seed=0, training=4, test=3):
    random = np.random.default_rng(seed)
    return {
        name: idx(array)
        for part, count in (("train", training), ("t10k", test))
        for name, array in {
            f"{part}-images-idx3-ubyte": random.integers(0, 256, (count, 28, 28)),
            f"{part}-labels-idx1-ubyte": np.arange(count) % 10,
        }.items()
    }


@pytest.fixture
def files(monkeypatch):
    """Four small files, and their digests in place of those of MNIST."""
    made = contents()
    for part in ("TRAINING", "TEST"):
        known = [
            IdxFile(file.name, sha(gzip.compress(made[file.name], mtime=0)), sha(made[file.name]))
            for file in getattr(digits, part)
        ]
        monkeypatch.setattr(digits, part, tuple(known))
    return made


def sha(content):
    return hashlib.sha256(content).hexdigest()


def write(folder, files, compressed=()):
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        if name in compressed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / name).write_bytes(content)
    return folder


def test_compressed_and_plain_files_hold_the_same(tmp_path, files):
    plain = digits.read_mnist(write(tmp_path / "plain", files))
    compressed = digits.read_mnist(write(tmp_path / "gz", files, compressed=files))
    assert (len(plain.training), len(plain.test), plain.source) == (4, 3, "MNIST")
    stored = np.frombuffer(files["t10k-images-idx3-ubyte"], np.uint8, offset=16).reshape(3, 1, 28, 28)
    np.testing.assert_array_equal((compressed.test.images * 255).round().numpy(), stored)
    assert compressed.test.labels.tolist() == [0, 1, 2]
    for one, other in zip(plain[:2], compressed[:2], strict=True):
        assert torch.equal(one.images, other.images)
        assert torch.equal(one.labels, other.labels)
        assert one.images.dtype == torch.float32


def test_a_missing_folder_and_a_missing_file_are_named(tmp_path, files):
    with pytest.raises(FileNotFoundError, match="nowhere is no folder"):
        digits.read_mnist(tmp_path / "nowhere")
    del files["t10k-labels-idx1-ubyte"]
    with pytest.raises(FileNotFoundError, match=r"must hold t10k-labels-idx1-ubyte or t10k-labels-idx1-ubyte\.gz"):
        digits.read_mnist(write(tmp_path / "some", files))


LABELS, IMAGES = "train-labels-idx1-ubyte", "train-images-idx3-ubyte"


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (LABELS, lambda _: b"", "begin with 00 00 08 01, got an empty file"),
        (LABELS, lambda content: content[:6], "its head must have 8 bytes, got 6"),
        (LABELS, lambda content: content[:-1], r"is truncated: its head announces 4 = 4 bytes, got 3"),
        (LABELS, lambda content: content + b"x", "goes on after its end: its head announces 4 = 4 bytes, got 5"),
        (IMAGES, lambda content: content[:-9], "4 x 28 x 28 = 3136 bytes, got 3127"),
        (IMAGES, lambda _: idx([1, 2]), "IDX file of bytes with 3 axes and begin with 00 00 08 03, got 00 00 08 01"),
        (IMAGES, lambda _: idx(np.zeros((4, 28, 27))), r"images of 28 x 28 pixels, got \(28, 27\)"),
        (LABELS, lambda _: idx([1, 2, 3]), "as many labels as images, and at least one, got 3 in .* and 4 in"),
        (LABELS, lambda _: idx([1, 2, 3, 10]), "labels from 0 to 9, got 10"),
        (LABELS, lambda _: idx([9, 2, 3, 4]), "is not the file of MNIST: the SHA-256 of what it holds must be"),
    ],
)
def test_damaged_files_are_refused_by_name(tmp_path, files, name, change, message):
    files[name] = change(files[name])
    with pytest.raises(ValueError, match=message) as caught:
        digits.read_mnist(write(tmp_path / "damaged", files))
    assert name in str(caught.value)


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-9], lambda data: b"no gzip" + data, lambda data: data[:12] + b"\xff" * 30]
)
def test_a_file_that_cannot_be_decompressed_is_named(tmp_path, files, damage):
    folder = write(tmp_path / "gz", files, compressed=files)
    path = folder / f"{IMAGES}.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=rf"{IMAGES}\.gz is truncated or damaged: it cannot be decompressed"):
        digits.read_mnist(folder)


class Mirror:
    """What pooch downloads with, in place of the network."""

    def __init__(self, files, down=(), stop_at=None):
        self.files = {f"{name}.gz": gzip.compress(content, mtime=0) for name, content in files.items()}
        self.down, self.stop_at, self.asked = down, stop_at, []

    def __call__(self, url, output_file, pooch):  # noqa: ARG002 - as pooch calls it
        self.asked.append(url)
        if any(url.startswith(mirror) for mirror in self.down):
            raise OSError("no route to host")
        content = self.files[url.rpartition("/")[2]]
        if self.stop_at is not None and len(self.asked) == self.stop_at:
            with open(output_file, "wb") as file:  # noqa: PTH123
                file.write(content[:20])
            raise KeyboardInterrupt
        with open(output_file, "wb") as file:  # noqa: PTH123
            file.write(content)


@pytest.fixture
def mirror(monkeypatch):
    def use(*arguments, **options):
        made = Mirror(*arguments, **options)
        monkeypatch.setattr("pooch.core.choose_downloader", lambda *_, **__: made)
        return made

    return use


def test_a_download_is_made_once_and_kept(tmp_path, files, mirror):
    network = mirror(files)
    first = digits.download_mnist(tmp_path / "cache")
    assert len(network.asked) == 4
    again = digits.download_mnist(tmp_path / "cache")
    assert len(network.asked) == 4
    assert torch.equal(first.training.images, again.training.images)


def test_the_second_mirror_helps_when_the_first_is_down(tmp_path, files, mirror):
    network = mirror(files, down=digits.MIRRORS[:1])
    assert len(digits.download_mnist(tmp_path / "cache").test) == 3
    assert len(network.asked) == 8


def test_without_a_network_the_message_says_what_to_do(tmp_path, files, mirror):
    mirror(files, down=digits.MIRRORS)
    with pytest.raises(
        OSError, match=r"train-images-idx3-ubyte\.gz cannot be downloaded .* \(--data\).*no route to host"
    ):
        digits.download_mnist(tmp_path / "cache")


def test_an_interrupted_download_leaves_no_half_file_and_goes_on_later(tmp_path, files, mirror):
    mirror(files, stop_at=2)
    with pytest.raises(KeyboardInterrupt):
        digits.download_mnist(tmp_path / "cache")
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [f"{IMAGES}.gz"]
    network = mirror(files)
    assert len(digits.download_mnist(tmp_path / "cache").training) == 4
    assert len(network.asked) == 3


def test_a_download_with_the_wrong_digest_is_not_kept(tmp_path, files, mirror):
    mirror(contents(seed=1))
    with pytest.raises(ValueError, match=rf"{IMAGES}\.gz"):
        digits.download_mnist(tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_small_digits_are_framed_and_split():
    sets = digits.small_digits(test=97)
    assert (len(sets.training), len(sets.test)) == (1700, 97)
    assert "scikit-learn" in sets.source
    images = torch.cat([sets.training.images, sets.test.images])
    assert images.shape == (1797, 1, 28, 28)
    assert images.min() == 0
    assert images.max() == 1
    assert not images[:, :, :4].any()
    assert not images[:, :, :, -4:].any()
    assert torch.bincount(torch.cat([sets.training.labels, sets.test.labels])).tolist() == [
        178, 182, 177, 183, 181, 182, 181, 179, 174, 180,
    ]  # fmt: skip
    with pytest.raises(ValueError, match="less than the 1797 digits there are, got 1797"):
        digits.small_digits(test=1797)
