"""One digest over a tree: names, types, modes, times, link targets and all content.

Holes read as zeros, so that a file is equal with and without them. What not every peer keeps
(hard links, attributes, holes) is counted beside the digest and does not enter it. Reading the
whole source for this also fills the page cache before each phase.
"""

import hashlib
import os
import stat

PIECE = 1 << 20


def content(path):
    """SHA-256 of a file's content."""
    with open(path, "rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def entries(root):
    """All paths below `root` with their states, folders before what is in them; sorted."""
    for folder, inner, names in os.walk(root):
        inner.sort()
        yield os.path.relpath(folder, root), os.lstat(folder)
        links = [name for name in inner if os.path.islink(os.path.join(folder, name))]
        for name in sorted(names + links):
            path = os.path.join(folder, name)
            yield os.path.relpath(path, root), os.lstat(path)


def line(root, path, state):
    """What is compared of one entry, as text. The root itself has no name, mode and time here."""
    kind = stat.S_IFMT(state.st_mode)
    if path == ".":
        return "root"
    parts = [repr(path), f"{kind:o}", f"{state.st_mtime_ns}"]
    full = os.path.join(root, path)
    if kind == stat.S_IFLNK:
        return " ".join([*parts, repr(os.readlink(full))])
    parts.append(f"{stat.S_IMODE(state.st_mode):o}")
    if kind == stat.S_IFREG:
        parts += [str(state.st_size), content(full)]
    return " ".join(parts)


def lines(root):
    """The text behind the digest, entry by entry; what `run digest --lines` prints."""
    for path, state in entries(root):
        yield line(root, path, state)


def of_tree(root):
    """The digest, how many entries, files and bytes there are, and what else was kept."""
    total = hashlib.sha256()
    found = dict.fromkeys(("entries", "files", "bytes", "linked", "attributes", "allocated"), 0)
    for path, state in entries(root):
        total.update(line(root, path, state).encode() + b"\n")
        found["entries"] += 1
        if not stat.S_ISREG(state.st_mode):
            continue
        found["files"] += 1
        found["bytes"] += state.st_size
        found["allocated"] += state.st_blocks * 512
        found["linked"] += state.st_nlink > 1
        found["attributes"] += len(os.listxattr(os.path.join(root, path)))
    return {"digest": total.hexdigest(), **found}
