"""Randomness and times that depend on names alone.

Each file of a tree is drawn from a source seeded by its own path. So any file can be written again
by itself, which is how a changed tree is turned back, and the order of writing does not matter.
"""

import hashlib
import random

SEED = 1
FIRST_DAY_S = 1_750_000_000  # 2025-06-15: no file of the first day is younger
DAY_S = 86_400


def draw(*name):
    """A source of random values that depends on `name` and SEED only."""
    text = "\0".join(map(str, (SEED, *name)))
    # surrogateescape: a path may have any bytes.
    return random.Random(hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest())


def time_ns(path, day=1):
    """When `path` was modified: in the two years before the first day, or on the second."""
    rng = draw("time", path, day)
    if day == 1:
        return (FIRST_DAY_S - rng.randrange(730 * DAY_S)) * 10**9 + rng.randrange(10**9)
    return (FIRST_DAY_S + rng.randrange(DAY_S)) * 10**9 + rng.randrange(10**9)
