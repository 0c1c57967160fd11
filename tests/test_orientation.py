"""Planes as a radiologist sees them: the patient's right on the left, the front on top."""

import nibabel
import numpy as np
import pytest

from topoprior.viewing.orientation import View

# Voxels are told apart by where they are: R or L, A or P, S or I.
AXES = {"L": (-1, 0, 0), "R": (1, 0, 0), "P": (0, -1, 0), "A": (0, 1, 0), "S": (0, 0, 1), "I": (0, 0, -1)}


def affine(codes, sizes=(1.5, 2.0, 8.0)):
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([np.multiply(AXES[code], size) for code, size in zip(codes, sizes, strict=True)], 1)
    assert "".join(nibabel.aff2axcodes(matrix)) == codes
    return matrix


@pytest.mark.parametrize("codes", ["LPS", "RAS", "RPI", "PLS", "ARS", "LAI"])
def test_axial_planes_show_the_right_on_the_left_and_the_front_on_top(codes):
    grid = dict(zip(codes, np.indices((5, 4)), strict=False))
    left = grid["L"] if "L" in grid else -grid["R"]  # grows towards the patient's left
    back = grid["P"] if "P" in grid else -grid["A"]
    view = View.of(affine(codes), (0, 1))
    assert (np.diff(view(left), axis=1) == 1).all()
    assert (np.diff(view(back), axis=0) == 1).all()
    size = dict(zip(codes, (1.5, 2.0), strict=False))
    high, wide = (next(size[code] for code in pair if code in size) for pair in ("AP", "LR"))
    assert view.aspect == pytest.approx(high / wide)


@pytest.mark.parametrize(("codes", "axes"), [("LPS", (1, 2)), ("SAL", (0, 1))])
def test_sagittal_planes_show_the_head_on_top_and_the_front_on_the_left(codes, axes):
    grid = dict(zip((codes[axes[0]], codes[axes[1]]), np.indices((5, 4)), strict=True))
    back = grid["P"] if "P" in grid else -grid["A"]
    view = View.of(affine(codes), axes)
    assert (np.diff(view(back), axis=1) == 1).all()
    assert (np.diff(view(-grid["S"]), axis=0) == 1).all()


def test_oblique_planes_go_by_the_nearest_directions():
    turn = np.deg2rad(40)
    matrix = np.eye(4)
    matrix[:2, :2] = [[-np.cos(turn), np.sin(turn)], [-np.sin(turn), -np.cos(turn)]]
    assert View.of(matrix, (0, 1)) == View.of(affine("LPS", (1, 1, 1)), (0, 1))


@pytest.mark.parametrize("matrix", [None, np.zeros((4, 4)), np.full((4, 4), np.nan)])
def test_without_geometry_the_array_is_shown_as_it_is(matrix):
    plane = np.arange(12).reshape(3, 4)
    view = View.of(matrix, (0, 1))
    np.testing.assert_array_equal(view(plane), plane)
    assert view.aspect == 1


def test_the_size_of_pixels_may_be_told_apart_from_the_directions():
    assert View.of(affine("LPS", (1, 1, 1)), (0, 1), spacing=(1.5, 3.0, 8.0)).aspect == pytest.approx(2)
