"""Paired tests and Holm's correction by counting everything that could have happened."""

import itertools
import math


def mcnemar(first, second):
    """Share of all coin throws over the differing pairs that are at least as lopsided."""
    only_first = sum(a > b for a, b in zip(first, second, strict=True))
    only_second = sum(a < b for a, b in zip(first, second, strict=True))
    n = only_first + only_second
    as_lopsided = [k for k in range(n + 1) if abs(2 * k - n) >= abs(only_first - only_second)]
    return sum(math.comb(n, k) for k in as_lopsided) / 2**n


def wilcoxon(differences):
    """Share of all choices of signs whose smaller rank sum is at most the one seen."""
    sizes = sorted(abs(d) for d in differences if d)
    ranks = [sum(r + 1 for r, s in enumerate(sizes) if s == size) / sizes.count(size) for size in sizes]

    def smaller(signs):
        return min(sum(r for r, s in zip(ranks, signs, strict=True) if s == sign) for sign in (-1, 1))

    seen = smaller([math.copysign(1, d) for d in sorted((d for d in differences if d), key=abs)])
    choices = list(itertools.product((-1, 1), repeat=len(ranks)))
    return seen, sum(smaller(signs) <= seen for signs in choices) / len(choices)


def holm(p_values):
    """For each value the largest of p times the number of values that are not smaller, over the values up to it."""
    corrected = []
    for p in p_values:
        steps = [q * (len(p_values) - sum(r < q for r in p_values)) for q in p_values if q <= p]
        corrected.append(min(1.0, max(steps)))
    return corrected
