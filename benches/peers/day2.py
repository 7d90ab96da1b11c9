"""The second day: what changes in a tree overnight, and the way back.

One file in a hundred is edited, one in 200 is new, one in 200 is gone, two folders have other
names; logs and mailboxes grow, databases get scattered updates, the disk image scattered writes,
one video is cut at its front. The list of changes is drawn from the plan alone. The way back
writes each changed file again from the plan, and is complete if the digest says so.
"""

import collections
import dataclasses
import os

import database
import trees
from plans import Entry
from seeds import draw, time_ns
from words import text

LARGE = 4 << 20
STABLE = ("symlink", "hardlink", "sparse")
ALWAYS = {"database", "image", "log", "mailbox"}


@dataclasses.dataclass(frozen=True)
class Changes:
    """What happens to which entries. Folders are renamed last, and back first."""

    edited: list
    deleted: list
    new: list
    renamed: list


def choose(plan):
    """The changes of this plan, always the same."""
    rng = draw("second day")
    linked = {entry.target for entry in plan if entry.kind == "hardlink"}
    special = [entry for entry in plan if entry.kind in ALWAYS]
    video = [entry for entry in plan if entry.path == "media/video0.mp4"]
    plain = [entry for entry in plan if entry not in set(special + video)
             and entry.kind not in STABLE and entry.path not in linked
             and not entry.path.startswith("odd/")]
    count = max(2, len(plain) // 200)
    picked = rng.sample(plain, 3 * count)
    new = [Entry(os.path.join(os.path.dirname(near.path), f"new{number:05}"), near.kind, near.size)
           for number, near in enumerate(rng.sample(plain, count))]
    return Changes(special + video + picked[:2 * count], picked[2 * count:], new, renames(plan))


def renames(plan):
    """The two folders at the second level with the fewest files get other names."""
    second = [entry.path.split("/")[:2] for entry in plan if entry.path.count("/") > 1
              or entry.path[0].isdigit()]
    held = collections.Counter("/".join(parts) for parts in second if parts[0] != "odd")
    fewest = sorted(held, key=lambda path: (held[path], path))[:2]
    return [(path, path + " (renamed)") for path in fewest]


def splice(data, rng, kind):
    """New content of an ordinary file: something added at the end, in the middle, or replaced."""
    added = text(rng, rng.randrange(20, 400), "code") if kind != "media" else rng.randbytes(200)
    at = rng.randrange(len(data) + 1)
    return rng.choice((data + added, data[:at] + added + data[at:],
                       data[:at] + added + data[at + len(added):]))


def edit(place, entry, *which):
    """Changes the content of one file in the manner of its kind; `which` of many changes."""
    rng = draw("edit", entry.path, *which)
    if entry.kind == "database":
        database.update(place, rng)
    elif entry.kind == "image":
        scatter(place, rng)
    elif entry.kind in ("log", "mailbox"):
        with open(place, "ab") as file:
            file.write(text(rng, max(1_000, entry.size // 25)))
    else:
        with open(place, "r+b") as file:
            data = file.read()
            # All that follows moves when something comes in at the front of a large file.
            if entry.size > LARGE:
                data = rng.randbytes(1_237) + data
            else:
                data = splice(data, rng, entry.kind)
            file.seek(0)
            file.write(data)
            file.truncate()


def scatter(place, rng):
    """Writes of 4 KiB here and there, one for each MiB."""
    blocks = max(1, os.path.getsize(place) // 4_096)
    with open(place, "r+b") as file:
        for _ in range(max(2, blocks // 256)):
            file.seek(rng.randrange(blocks) * 4_096)
            file.write(rng.randbytes(4_096))


def apply(root, plan):
    """From the first day to the second."""
    changes = choose(plan)
    for entry in changes.edited:
        place = os.path.join(root, entry.path)
        edit(place, entry)
        trees.finish(place, dataclasses.replace(entry, attribute=b""), day=2)
    for entry in changes.deleted:
        os.unlink(os.path.join(root, entry.path))
    for entry in changes.new:
        trees.put(root, entry, day=2)
    touched = {os.path.dirname(entry.path) for entry in changes.deleted + changes.new}
    touched |= {os.path.dirname(old) or "." for old, _ in changes.renamed}
    trees.settle(root, touched)
    for old, new in changes.renamed:
        os.rename(os.path.join(root, old), os.path.join(root, new))
    for folder in {os.path.dirname(old) for old, _ in changes.renamed}:
        time = time_ns("folder " + (folder or "."), 2)
        os.utime(os.path.join(root, folder), ns=(time, time))


def revert(root, plan):
    """From the second day back to the first."""
    changes = choose(plan)
    for old, new in changes.renamed:
        os.rename(os.path.join(root, new), os.path.join(root, old))
    for entry in changes.new:
        os.unlink(os.path.join(root, entry.path))
    for entry in changes.edited + changes.deleted:
        trees.put(root, entry)
    trees.settle(root)
