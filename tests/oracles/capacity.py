"""What an image can carry, counted exactly: all masks, row by row, those alike from the last row on taken together."""

import functools


@functools.cache
def most_holes(shape, construction):
    """The most holes that a mask can have along with 0, 1, 2, ... components, its outside being background.

    A state is the last row with the components of its pixels. For each there are the pairs (components that ended
    above, Euler characteristic so far) of all masks that lead to it. Holes are components less Euler characteristic.
    """
    rows, columns = sorted(shape, reverse=True)
    steps = transitions(columns, construction)
    states = {(): {(0, 0)}}
    for _ in range(rows):
        after = {}
        for state, pairs in states.items():
            for following, ended, euler in steps(state):
                after.setdefault(following, set()).update((b + ended, x + euler) for b, x in pairs)
        states = after
    totals = {(b + len(set(state) - {None}), x) for state, pairs in states.items() for b, x in pairs}
    numbers = {(b, b - x) for b, x in totals}
    most = [max(holes for components, holes in numbers if components == b) for b in range(max(numbers)[0] + 1)]
    # Whatever is less is possible too, which is why the most holes tell all.
    possible = {(b, holes) for b, top in enumerate(most) for holes in range(top + 1)}
    assert numbers == possible
    assert most[1:] == sorted(most[1:], reverse=True)
    return most


def transitions(columns, construction):
    corners = (-1, 0, 1) if construction == "T" else (0,)

    @functools.cache
    def steps(state):
        found = []
        for bits in range(1 << columns):
            row = [bool(bits >> i & 1) for i in range(columns)]
            above = list(state) if state else [None] * columns
            names = [None] * columns
            for i in range(columns):
                if not row[i]:
                    continue
                names[i] = (i,)
                meets = {above[i + d] for d in corners if 0 <= i + d < columns} - {None}
                meets |= {names[i - 1]} if i and row[i - 1] else set()
                for old in meets:
                    above = [names[i] if name == old else name for name in above]
                    names = [names[i] if name == old else name for name in names]
            ended = len(set(above) - set(names) - {None})
            order = {name: k for k, name in enumerate(dict.fromkeys(n for n in names if n is not None))}
            following = tuple(None if n is None else order[n] for n in names)
            before = [name is not None for name in state] if state else [False] * columns
            both, one = (euler_characteristic(rows, construction) for rows in ([before, row], [before]))
            found.append((following, ended, both - one))
        return found

    return steps


def euler_characteristic(rows, construction):
    """Of a mask given as rows of booleans; components that touch by corners ("T") or faces ("V") count as one."""
    lit = {(i, j) for i, row in enumerate(rows) for j, value in enumerate(row) if value}
    if construction == "T":
        corners = {(i + a, j + b) for i, j in lit for a in (0, 1) for b in (0, 1)}
        sides = {(2 * i + 1 + a, 2 * j + 1 + b) for i, j in lit for a, b in ((-1, 0), (1, 0), (0, -1), (0, 1))}
        return len(corners) - len(sides) + len(lit)
    pairs = sum((i + 1, j) in lit for i, j in lit) + sum((i, j + 1) in lit for i, j in lit)
    squares = sum({(i + 1, j), (i, j + 1), (i + 1, j + 1)} <= lit for i, j in lit)
    return len(lit) - pairs + squares
