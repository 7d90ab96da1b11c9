"""Which files a tree has: lists of entries, before anything is written.

`mixed` is like the machine of somebody in an office who also programs: about 2 GiB in 24,000
files. `small` is 200,000 files of 3 KiB on average. Both can be scaled down for a try.
"""

import dataclasses

from seeds import draw

KIB, MIB = 1 << 10, 1 << 20


@dataclasses.dataclass(frozen=True)
class Entry:
    """One name in a tree; `target` is where a symbolic or hard link leads."""

    path: str
    kind: str
    size: int = 0
    mode: int = 0o644
    target: str = ""
    attribute: bytes = b""


def sizes(rng, count, mean):
    """Sizes of files: many small ones, few large ones."""
    return [max(1, int(rng.paretovariate(1.6) * mean * 0.375)) % (mean * 60) for _ in range(count)]


def scaled(count, scale, least=2):
    """How many of `count` a smaller tree has."""
    return max(least, round(count * scale))


def source_text(scale):
    """Two checkouts: few folders at the top, some more than twenty levels deep."""
    rng = draw("plan", "source")
    for number, size in enumerate(sizes(rng, scaled(13_000, scale), 8 * KIB)):
        depth = rng.randrange(1, 7) if number % 200 else 24
        folders = "/".join(f"part{rng.randrange(5)}" for _ in range(depth))
        mode = 0o755 if number % 40 == 0 else 0o644
        yield Entry(f"code/project{number % 2}/{folders}/unit{number:05}.c", "code", size, mode)


def packages(scale):
    """Installed packages of a script language: very many very small files."""
    rng = draw("plan", "packages")
    for number, size in enumerate(sizes(rng, scaled(5_000, scale), 2 * KIB)):
        yield Entry(f"code/packages/pack{number // 25:03}/lib/f{number:05}.js", "code", size)


def letters(scale):
    """Mail, both as one file for each message and as mailboxes, and notes."""
    rng = draw("plan", "letters")
    for number, size in enumerate(sizes(rng, scaled(4_000, scale), 7 * KIB)):
        yield Entry(f"mail/inbox/cur/{number:06}.eml", "prose", size, 0o600)
    for number in range(4):
        yield Entry(f"mail/archive{number}.mbox", "mailbox", int(24 * MIB * scale), 0o600)


def documents(scale):
    """Office documents, logs, photographs and video."""
    rng = draw("plan", "documents")
    for number, size in enumerate(sizes(rng, scaled(1_200, scale), 150 * KIB)):
        yield Entry(f"documents/{2018 + number % 7}/report {number:04}.odt", "office", size,
                    attribute=b"yes" if number % 10 == 0 else b"")
    for number in range(8):
        yield Entry(f"logs/service{number}.log", "log", int(14 * MIB * scale))
    for number, size in enumerate(sizes(rng, scaled(280, scale), 1_600 * KIB)):
        yield Entry(f"media/photos/img{number:04}.jpg", "media", size)
    for number in range(4):
        yield Entry(f"media/video{number}.mp4", "media", int(80 * MIB * scale))


def machines(scale):
    """What is large and changes inside: databases, a disk image, a file of holes."""
    yield Entry("data/orders.sqlite", "database", int(200 * MIB * scale), 0o640)
    yield Entry("data/cache.sqlite", "database", int(40 * MIB * scale), 0o640)
    yield Entry("data/disk.img", "image", int(300 * MIB * scale), 0o600)
    yield Entry("data/sparse.img", "sparse", int(256 * MIB * scale), 0o600)


def links(scale):
    """Symbolic links, one of them to nowhere, and pairs of hard links."""
    for number in range(scaled(150, scale)):
        yield Entry(f"links/soft{number}", "symlink", target=f"../mail/inbox/cur/{number:06}.eml")
        yield Entry(f"links/first{number}", "prose", 3_000)
        yield Entry(f"links/second{number}", "hardlink", target=f"links/first{number}")
    yield Entry("links/dangling", "symlink", target="/nowhere/at all")


def odd_names():
    """Names that programs stumble over. All are UTF-8: not every peer can store others."""
    names = ["-rf", "new\nline", "back\\slash", "qu'o\"te", " spaces ", "*star?", "$HOME", "%41",
             "żółć", "日本語", "🗄", "e\u0301 apart", "\u00e9 as one", "\u202eright to left",
             "x" * 255, ".hidden", "..three", "tab\tbed"]
    for name in names:
        yield Entry(f"odd/{name}", "prose", 200)
    yield Entry("odd/empty", "prose", 0)
    yield Entry("odd/" + "/".join("deep" for _ in range(60)) + "/bottom", "prose", 10)


def mixed(scale):
    """The machine of a client."""
    parts = (source_text, packages, letters, documents, machines, links)
    return [entry for part in parts for entry in part(scale)] + list(odd_names())


def small(scale):
    """Small files, 250 to a folder."""
    rng = draw("plan", "small")
    found = []
    for number, size in enumerate(sizes(rng, scaled(200_000, scale), 3 * KIB)):
        kind = ("code", "prose", "code", "media")[number % 4]
        folder = f"{number // 25_000}/{number // 250 % 100:02}"
        found.append(Entry(f"{folder}/item{number:06}", kind, size))
    return found


PLANS = {"mixed": mixed, "small": small}
