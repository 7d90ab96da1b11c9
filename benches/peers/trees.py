"""Writes the tree that a plan describes, whole or one entry at a time."""

import contextlib
import os

import contents
import database
from seeds import draw, time_ns

ATTRIBUTE = "user.peers.note"


def put(root, entry, day=1):
    """Writes one entry anew; what is at its place goes first. Folders must be there."""
    place = os.path.join(root, entry.path)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(place)
    if entry.kind == "symlink":
        os.symlink(entry.target, place)
    elif entry.kind == "hardlink":
        os.link(os.path.join(root, entry.target), place)
        return
    elif entry.kind == "database":
        database.create(place, draw("content", entry.path), entry.size)
    else:
        make = contents.KINDS[entry.kind]
        contents.write(place, make(draw("content", entry.path), entry.size))
    finish(place, entry, day)


def finish(place, entry, day):
    """Mode, attributes and times, in this order, since the first two must not change the last."""
    if entry.kind != "symlink":
        os.chmod(place, entry.mode)
    if entry.attribute:
        # Not every file system has them.
        with contextlib.suppress(OSError):
            os.setxattr(place, ATTRIBUTE, entry.attribute)
    time = time_ns(entry.path, day)
    os.utime(place, ns=(time, time), follow_symlinks=False)


def folders(paths):
    """All folders that these paths need, parents first; '' is the root itself."""
    found = {""}
    for path in paths:
        folder = os.path.dirname(path)
        while folder not in found:
            found.add(folder)
            folder = os.path.dirname(folder)
    return sorted(found)


def make(root, plan):
    """Makes the tree in a folder that does not exist."""
    for folder in folders(entry.path for entry in plan):
        os.makedirs(os.path.join(root, folder), exist_ok=True)
    for entry in plan:
        put(root, entry)
    settle(root)


def settle(root, touched=()):
    """Gives folders their times, the last thing of all; `touched` ones those of the second day."""
    for folder, _, _ in os.walk(root, topdown=False):
        path = os.path.relpath(folder, root)
        day = 2 if path in touched else 1
        time = time_ns("folder " + path, day)
        os.chmod(folder, 0o755)
        os.utime(folder, ns=(time, time))
