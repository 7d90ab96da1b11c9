"""Text that compresses about as well as what people and programs write.

Words are common in the way words are (Zipf); they are joined into short runs beforehand, 65,536 of
them, and a text is a row of runs. Choosing a run takes two random bytes, which is fast enough to
write hundreds of megabytes in seconds.
"""

import functools
import itertools

from seeds import draw

RUN_COUNT = 1 << 16

CODE_MARKS = ["(", ")", ");\n", " {\n    ", "\n}\n\n", " = ", "->", ".", ", ", "::", ";\n    ",
              "return ", "if (", "for ", "let ", "fn ", "def ", "self.", "&", "// ", " == ", "[0]"]
PROSE_MARKS = [" ", " ", " ", ", ", ". ", ".\n", " and ", " the ", " of ", " to ", "; ", "?\n\n"]


def vocabulary(rng, count):
    """Made-up words, the short ones first, because common words are short."""
    starts = ["b", "br", "c", "d", "f", "gl", "h", "k", "l", "m", "n", "p", "r", "s", "st", "t", "v"]
    middles = ["a", "e", "i", "o", "u", "ai", "ee", "ou"]
    ends = ["", "n", "r", "s", "t", "ck", "ld", "nd"]
    syllables = ["".join(part) for part in itertools.product(starts, middles, ends)]
    words = {"".join(rng.choices(syllables, k=rng.choice((1, 1, 2, 2, 3)))) for _ in range(count)}
    return sorted(words, key=lambda word: (len(word), word))


@functools.cache
def runs(kind):
    """The rows of words and marks that texts of this kind (`code` or `prose`) are made of."""
    rng = draw("runs", kind)
    words = vocabulary(rng, 8_000 if kind == "code" else 20_000)
    weights = list(itertools.accumulate(1 / (rank + 3) for rank in range(len(words))))
    marks = CODE_MARKS if kind == "code" else PROSE_MARKS
    made = []
    for length in rng.choices((1, 2, 4), weights=(60, 30, 10), k=RUN_COUNT):
        picked = rng.choices(words, cum_weights=weights, k=length)
        made.append("".join(word + rng.choice(marks) for word in picked).encode())
    # A tenth of the runs make half of the text, as set phrases do.
    return [made[min(number, number % (RUN_COUNT // 10) if number % 2 else number)]
            for number in range(RUN_COUNT)]


def text(rng, size, kind="prose"):
    """`size` bytes of text."""
    table = runs(kind)
    parts, have = [], 0
    while have < size:
        numbers = memoryview(rng.randbytes(2 * ((size - have) // 6 + 8))).cast("H")
        part = b"".join(map(table.__getitem__, numbers))
        parts.append(part)
        have += len(part)
    return b"".join(parts)[:size]
