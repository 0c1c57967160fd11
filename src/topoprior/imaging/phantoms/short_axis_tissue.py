"""What a short-axis slice shows: the brightness of each tissue in a balanced steady-state (bSSFP) cine image.

Layers are painted from back to front on a grid finer than the image, each with an edge as soft as a slice of 8 mm
makes it. Brightness is relative to blood, about 0.85.
"""

import numpy as np

from topoprior.imaging.phantoms.random_field import random_field
from topoprior.imaging.phantoms.short_axis_grid import Field, Grid
from topoprior.imaging.phantoms.short_axis_heart import ANGLES, Heart, Outline, angle_between, waves


def paint(random: np.random.Generator, heart: Heart, grid: Grid) -> Field:
    """Brightness without the faults of a scanner."""
    myocardium = random.uniform(0.22, 0.36)
    coarse, fine = _texture(random, grid, 8.0), _texture(random, grid, 2.0)
    image = _lung(random, grid, coarse)
    _abdomen(random, image, grid, heart, coarse, fine)
    _chest_wall(random, image, grid, heart, coarse, fine)
    _fat_around(random, image, grid, heart, coarse, fine)
    _over(image, _inside(grid, heart.outside, 1.6), myocardium * (1.0 + 0.05 * coarse + 0.04 * fine))
    _right_ventricle(random, image, grid, heart, coarse, fine, myocardium)
    softness = random.uniform(1.2, 2.8)
    wall = myocardium * (1.0 + 0.06 * _texture(random, grid, 13.0) + 0.06 * fine)
    _over(image, _inside(grid, heart.epicardium, softness), wall)
    _left_ventricle(random, image, grid, heart, coarse, fine, myocardium, softness)
    return np.maximum(image, 0.0)


def _lung(random: np.random.Generator, grid: Grid, coarse: Field) -> Field:
    """Dark, with vessels: small bright discs, more of them near the heart."""
    image = np.full(grid.x.shape, random.uniform(0.04, 0.16)) * (1.0 + 0.3 * coarse)
    for _ in range(random.integers(12, 45)):
        direction, distance = random.normal(-0.8, 0.9), random.uniform(30.0, 105.0)
        _disc(image, grid, distance * np.cos(direction), distance * np.sin(direction),
              random.uniform(0.6, 2.2), random.uniform(0.1, 0.6), random.uniform(1.0, 2.5), direction)  # fmt: skip
    return image


def _abdomen(random: np.random.Generator, image: Field, grid: Grid, heart: Heart, coarse: Field, fine: Field) -> None:
    """Liver under the heart, stomach beside it, what else lies there; the diaphragm and its fat above them."""
    down = random.normal(1.75, 0.16)
    gap = random.uniform(-5.0, 4.0) if random.random() < 0.85 else random.uniform(4.0, 20.0)
    depth = _dome(grid, down, _reach(heart, down) + gap, random.uniform(80.0, 300.0)) + 1.2 * coarse
    fat = random.uniform(-2.0, 6.0)
    patchy = np.clip(0.55 + 0.6 * _texture(random, grid, 7.0), 0.0, 1.0)
    _over(image, _cover(depth + fat, 1.6) * patchy, random.uniform(0.4, 0.8))
    liver = random.uniform(0.2, 0.45)
    texture = liver * (1.0 + 0.10 * coarse + 0.10 * fine)
    vessels = _texture(random, grid, 2.6)
    texture += liver * random.uniform(-0.5, 0.9) * np.clip(vessels - 1.2, 0.0, 1.0)
    _over(image, _cover(depth, 2.5), texture)
    for _ in range(random.integers(1, 4)):
        _stomach(random, image, grid, heart, fine)


def _stomach(random: np.random.Generator, image: Field, grid: Grid, heart: Heart, fine: Field) -> None:
    """Stomach, spleen or bowel: a round body with a grey wall; in it food, bright liquid or dark air."""
    direction = random.normal(0.95, 0.35)
    wide, high = random.uniform(13.0, 38.0), random.uniform(11.0, 28.0)
    distance = _reach(heart, direction) + high + random.uniform(-3.0, 8.0) + random.exponential(4.0)
    x, y = _turned(
        grid.x - distance * np.cos(direction),
        grid.y - distance * np.sin(direction),
        direction + np.pi / 2 + random.normal(0, 0.3),
    )
    lumps = _texture(random, grid, 4.0)
    depth = (1.0 - np.hypot(x / wide, y / high)) * min(wide, high) + 1.3 * lumps
    if random.random() < 0.4:
        _over(image, _cover(depth + random.uniform(1.0, 4.0), 2.0), random.uniform(0.2, 0.7))
    _over(image, _cover(depth, 2.0), random.uniform(0.15, 0.35) * (1.0 + 0.1 * fine))
    content = random.choice([random.uniform(0.03, 0.12), random.uniform(0.2, 0.5), random.uniform(0.6, 1.0)])
    rough = random.uniform(0.05, 0.45)
    _over(image, _cover(depth - random.uniform(1.5, 4.5), 2.5), np.abs(content * (1.0 + rough * lumps + 0.12 * fine)))


def _chest_wall(
    random: np.random.Generator, image: Field, grid: Grid, heart: Heart, coarse: Field, fine: Field
) -> None:
    """In front of the heart: fat, muscle and ribs in layers, then the fat under the skin."""
    front = random.normal(-2.25, 0.25)
    gap = random.uniform(-3.0, 6.0) if random.random() < 0.8 else random.uniform(6.0, 25.0)
    curve = random.uniform(90.0, 200.0)
    start = _reach(heart, front) + gap
    depth = np.hypot(grid.x - (start - curve) * np.cos(front), grid.y - (start - curve) * np.sin(front)) - curve
    strands = _texture(random, grid, 1.8)
    depth = depth + 2.0 * coarse
    muscle = random.uniform(0.15, 0.3)
    begin = 0.0
    for level in (random.uniform(0.3, 0.8), muscle, random.uniform(0.2, 0.7), muscle):
        _over(image, _cover(depth - begin, 2.0), level * np.clip(1.0 + 0.12 * fine + 0.2 * strands, 0.2, 2.2))
        begin += random.uniform(1.5, 6.0)
    ribs = np.clip(_texture(random, grid, 7.0) - 0.5, 0.0, 1.0)
    image += _cover(depth - 5.0, 3.0) * ribs * random.uniform(0.1, 0.6)
    skin = begin + random.uniform(-2.0, 14.0)
    _over(image, _cover(depth - skin, 2.5), random.uniform(0.5, 1.05) * (1.0 + 0.08 * coarse + 0.06 * fine))


def _fat_around(
    random: np.random.Generator, image: Field, grid: Grid, heart: Heart, coarse: Field, fine: Field
) -> None:
    """Fat in the grooves and before the right ventricle, within the pericardium, a thin dark line."""
    thickness = random.uniform(0.5, 4.0) * np.clip(0.3 + 1.0 * waves(random, range(1, 7), 0.6), 0.0, 3.0)
    for side in (-1.0, 1.0):
        groove = heart.septum + side * random.uniform(0.9, 1.3)
        thickness += random.uniform(0.0, 6.0) * np.exp(-((angle_between(ANGLES, groove) / 0.28) ** 2))
    front = angle_between(ANGLES, heart.septum + 0.5)
    thickness += random.uniform(0.0, 5.0) * np.exp(-((front / 0.9) ** 2))
    edge = heart.outside + thickness
    pericardium = _inside(grid, edge + random.uniform(0.8, 3.5), 1.8)
    _over(image, pericardium * 0.8, random.uniform(0.1, 0.4) * (1.0 + 0.2 * fine))
    present = np.clip(thickness / 2.0, 0.0, 1.0)[grid.direction]
    present *= np.clip(0.75 + 0.5 * _texture(random, grid, 3.0), 0.0, 1.0)
    level = random.uniform(0.5, 0.95) * np.clip(1.0 + 0.12 * coarse + 0.14 * fine, 0.3, 1.3)
    _over(image, _inside(grid, edge, 1.6) * present, level)
    # Where water and fat share a voxel their signals cancel in bSSFP: a dark outline.
    ink = random.uniform(0.3, 0.9) * present
    image *= 1.0 - ink * np.exp(-(((grid.radius - edge[grid.direction]) / 1.1) ** 2))


def _right_ventricle(
    random: np.random.Generator, image: Field, grid: Grid, heart: Heart, coarse: Field, fine: Field, myocardium: float
) -> None:
    """Blood behind a thin wall, crossed by trabeculae that grow from the free wall."""
    level = random.uniform(0.5, 0.9)
    pool = heart.right - heart.epicardium > 0.0
    inside = _inside(grid, np.where(pool, heart.right, 0.0), 2.0)
    free = np.exp(-np.clip(heart.right[grid.direction] - grid.radius, 0.0, None) / random.uniform(5.0, 14.0))
    bars = np.clip(_texture(random, grid, 2.0) + 0.4 * fine, 0.0, 1.4)
    blood = level * (1.0 + 0.07 * coarse + 0.04 * fine)
    blood += (myocardium - level) * np.clip(random.uniform(0.4, 1.4) * bars * (0.4 + free), 0.0, 0.9)
    _over(image, inside, blood)


def _left_ventricle(
    random: np.random.Generator,
    image: Field,
    grid: Grid,
    heart: Heart,
    coarse: Field,
    fine: Field,
    myocardium: float,
    softness: float,
) -> None:
    """Blood, brighter or darker where it flows; trabeculae along the wall, two papillary muscles before it."""
    level = random.uniform(0.75, 0.98)
    inside = _inside(grid, heart.endocardium, softness)
    between = myocardium + random.uniform(0.0, 0.3) * (level - myocardium)
    _over(image, inside, between * (1.0 + 0.1 * fine))
    flow = _texture(random, grid, 14.0)
    strands = _texture(random, grid, 1.7)
    blood = level * (1.0 + 0.06 * flow + 0.02 * coarse + 0.03 * fine)
    edge = heart.blood[grid.direction] + random.uniform(0.5, 2.0) * np.clip(strands, -2.0, 1.0) - grid.radius
    _over(image, inside * _cover(edge, softness), blood)
    for side in (-1.0, 1.0):
        for _ in range(random.integers(1, 4)):
            _papillary_muscle(random, image, grid, heart, side, myocardium * random.uniform(0.95, 1.5))


def _papillary_muscle(
    random: np.random.Generator, image: Field, grid: Grid, heart: Heart, side: float, level: float
) -> None:
    """Round, on one side of the middle of the free wall, at the wall or a little off it."""
    direction = heart.septum + np.pi + side * random.normal(0.95, 0.25)
    edge = float(np.interp(direction, ANGLES, heart.endocardium, period=2 * np.pi))
    thick = edge * (random.uniform(0.12, 0.26) if heart.phase == "ES" else random.uniform(0.08, 0.19))
    distance = edge - thick * random.uniform(0.3, 2.4)
    _disc(image, grid, distance * np.cos(direction), distance * np.sin(direction), thick, level,
          random.uniform(0.8, 1.9), direction + random.normal(0.0, 0.3))  # fmt: skip


def _disc(
    image: Field, grid: Grid, x: float, y: float, radius: float, level: float, stretch: float, direction: float
) -> None:
    """An oval patch, ``stretch`` times as long along ``direction`` as across."""
    part = grid.around(x, y, radius * max(stretch, 1.0) + 2.0)
    along, across = _turned(grid.x[part] - x, grid.y[part] - y, direction)
    _over(image[part], _cover(radius - np.hypot(along / stretch, across), 1.4), level)


def _turned(right: Field, down: Field, direction: float) -> tuple[Field, Field]:
    cosine, sine = np.cos(direction), np.sin(direction)
    return cosine * right + sine * down, cosine * down - sine * right


def _dome(grid: Grid, direction: float, start: float, curve: float) -> Field:
    """Depth behind a dome that bulges towards the heart, in mm."""
    x, y = (start + curve) * np.cos(direction), (start + curve) * np.sin(direction)
    depth: Field = curve - np.hypot(grid.x - x, grid.y - y)
    return depth


def _reach(heart: Heart, direction: float) -> float:
    """How far the heart reaches in a direction: the length of its projection, for a body that must not enter it."""
    return float((heart.outside * np.cos(ANGLES - direction)).max())


def _texture(random: np.random.Generator, grid: Grid, scale: float) -> Field:
    """A random field smooth over ``scale`` mm."""
    return random_field(random, grid.x.shape, scale / grid.step)


def _inside(grid: Grid, outline: Outline, softness: float) -> Field:
    return _cover(outline[grid.direction] - grid.radius, softness)


def _cover(depth: Field, softness: float) -> Field:
    """Share of tissue at points ``depth`` mm behind its edge: from 0 to 1 over ``softness`` mm."""
    cover: Field = np.clip(0.5 + depth / softness, 0.0, 1.0)
    return cover


def _over(image: Field, cover: Field, level: Field | float) -> None:
    """Paint over an image in place, where and as far as ``cover`` says."""
    image += cover * (level - image)
