"""Where restores go: a folder, or for each restore a file system that was just made.

ext4 passes over inodes that were freed within the last minutes, one by one, so that a restore
after others that were removed is several times slower, whoever restores. On a new file system
nothing was freed.
"""

import contextlib
import os
import shutil
import subprocess

IMAGE_BYTES = 24 << 30


@contextlib.contextmanager
def folder(path):
    """An empty folder at `path`, which is removed afterwards if its last user says so."""
    os.makedirs(path)
    keep = []
    yield path, keep
    if not keep:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def fresh(path):
    """The same on a new ext4 in a file beside it; needs root and a loop device."""
    image, mounted = path + ".ext4", path + ".mounted"
    os.makedirs(mounted)
    with open(image, "wb") as file:
        file.truncate(IMAGE_BYTES)
    try:
        subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
        subprocess.run(["mount", "-o", "loop", image, mounted], check=True)
        try:
            target = os.path.join(mounted, "restored")
            os.makedirs(target)
            keep = []
            yield target, keep
            if keep:
                # It would be gone with its file system.
                shutil.copytree(target, path, symlinks=True)
        finally:
            subprocess.run(["umount", mounted], check=True)
    finally:
        os.remove(image)
        os.rmdir(mounted)
