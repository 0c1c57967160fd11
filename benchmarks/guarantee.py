"""How often `topoprior.guarantee` ends right, on random maps with priors that are known to be possible.

Planes: noise, with the Betti numbers of other noise as prior. Volumes: smoothed noise, or a ball with noise, with usual
priors or the numbers of other noise. Classes: random label maps with 2 to 4 classes; the priors are the numbers of a
random choice of their classes and unions; the map is the same label map under noise, or another one.

    python benchmarks/guarantee.py --minutes 6
"""

import argparse
import itertools
import time
from collections import Counter, defaultdict

import numpy as np
import torch
from scipy import ndimage
from torch import nn

import topoprior as tp

USUAL = [(1, 0, 0), (1, 1, 0), (1, 0, 1), (2, 1, 0), (1, (0, 2), 0), (1, 3, None)]


def numbers(mask, options):
    return tuple(tp.betti_numbers(torch.as_tensor(mask)[None, None], **options).flatten().tolist())


def plane(random, options):
    shape = tuple(random.integers(1, 31, 2))
    wanted = numbers(random.random(shape) < random.choice([0.2, 0.35, 0.5, 0.65, 0.8]), options)
    yield "plane", random.random(shape), tp.BettiPrior(*wanted)


def volume(random, options):
    shape = tuple(random.integers(8, 25, 3))
    width = random.choice([0.7, 1.0, 1.5, 2.5])

    def noise():
        values = ndimage.gaussian_filter(random.normal(size=shape), width)
        return 2 * values / values.std()

    away = sum((2 * place / side - 1) ** 2 for place, side in zip(np.indices(shape), shape, strict=True))
    ball = 6 * (0.6 - np.sqrt(away))
    usual = tp.BettiPrior(*USUAL[random.integers(len(USUAL))])
    yield "ball with noise, usual prior", 1 / (1 + np.exp(-ball - noise())), usual
    yield "noisy volume, usual prior", 1 / (1 + np.exp(-noise())), usual
    wanted = numbers(noise() > random.choice([-2.0, 0.0, 2.0]), options)
    yield "noisy volume, prior of another", 1 / (1 + np.exp(-noise())), tp.BettiPrior(*wanted)


def classes(random, options):
    shape, count = tuple(random.integers(10, 25, 2)), int(random.integers(2, 5))

    def smooth(times, strength):
        values = strength * torch.from_numpy(random.normal(size=(1, count, *shape)))
        for _ in range(times):
            values = nn.functional.avg_pool2d(values, 3, 1, 1, count_include_pad=False)
        return values

    labels = smooth(int(random.integers(2, 6)), 8).argmax(1)
    unions = [union for size in range(1, count) for union in itertools.combinations(range(count), size)]
    chosen = [unions[i] for i in random.permutation(len(unions))[: random.integers(1, len(unions) + 1)]]
    wanted = {union: numbers(torch.isin(labels[0], torch.tensor(union)), options) for union in chosen}
    try:
        priors = tp.ClassPriors(wanted, classes=count)
    except ValueError:  # asks for nothing, where a class fills the image
        return
    one_hot = nn.functional.one_hot(labels, count).movedim(-1, 1)
    yield "classes, own map under noise", (3.0 * one_hot + smooth(1, 5)).softmax(1)[0], priors
    yield "classes, another map", smooth(2, 9).softmax(1)[0], priors


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=6.0)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    random = np.random.default_rng(arguments.seed)
    ends, seconds = defaultdict(Counter), defaultdict(list)
    for cases in (plane, volume, classes):
        began = time.perf_counter()
        while time.perf_counter() - began < 20 * arguments.minutes:
            options = {"construction": str(random.choice(["T", "V"])), "boundary": "background"}
            if random.random() < 0.3:
                options["boundary"] = "foreground"
            for name, probability, prior in cases(random, options):
                given = torch.as_tensor(probability)[None]
                started = time.perf_counter()
                try:
                    result = tp.guarantee(given if cases is classes else given[None], prior, **options)
                    ends[name]["right" if result.succeeded else "wrong"] += 1
                except ValueError as error:
                    ends[name]["refused"] += 1
                    print(f"{name}, {tuple(given.shape)}, {options}, prior {prior}: {error}")
                seconds[name].append(time.perf_counter() - started)
    print("| maps and priors | cases | right | wrong | refused | seconds, mean | most |")
    print("|---|---|---|---|---|---|---|")
    for name, counts in ends.items():
        cells = [sum(counts.values()), counts["right"], counts["wrong"], counts["refused"]]
        print(f"| {name} | {' | '.join(map(str, cells))} | {np.mean(seconds[name]):.2f} | {max(seconds[name]):.1f} |")


if __name__ == "__main__":
    main()
