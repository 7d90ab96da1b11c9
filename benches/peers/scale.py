"""Mainstay alone with very much: many chunks, and many files.

`chunks` backs up a database that is generated while it is read: every page of 16 KiB is another one,
so that each becomes a chunk of its own, and nearly all of it compresses away, so that ten million of
them fit on any disk. `files` makes that many small files.
"""

import os
import shutil
import struct
import sys

import measure
import tools

PAGE_BYTES = 16 << 10
BLOCK_PAGES = 64
FOLDER_FILES = 100
NAME = "generated.sqlite"


def write_pages(count, output):
    """Writes the header of a database and so many pages, none of which is like another."""
    block = bytearray(BLOCK_PAGES * PAGE_BYTES)
    view = memoryview(block)
    for first in range(0, count, BLOCK_PAGES):
        for page in range(BLOCK_PAGES):
            struct.pack_into("<Q", block, page * PAGE_BYTES + 64, first + page)
        if first == 0:
            block[:18] = b"SQLite format 3\0" + struct.pack(">H", PAGE_BYTES)
        output.write(view[:min(count - first, BLOCK_PAGES) * PAGE_BYTES])
        if first == 0:
            block[:18] = bytes(18)


def file_of(root, number):
    """Where a file lies."""
    folder = os.path.join(root, f"{number // 10_000:04}", f"{number // FOLDER_FILES % 100:02}")
    return os.path.join(folder, f"file-{number:08}.txt")


def make_files(root, count):
    """Makes small files, none of which is like another."""
    shutil.rmtree(root, ignore_errors=True)
    for number in range(count):
        path = file_of(root, number)
        if number % FOLDER_FILES == 0:
            os.makedirs(os.path.dirname(path))
        with open(path, "w", encoding="ascii") as file:
            file.write(f"{number} " * (number % 60 + 4))


class Scale:
    """One repository, in which phases are measured one after another."""

    def __init__(self, options, path):
        self.work = os.path.join(options.work, "scale")
        shutil.rmtree(self.work, ignore_errors=True)
        self.tree = os.path.join(self.work, "tree")
        os.makedirs(self.tree)
        self.tool = tools.Mainstay(self.work, self.tree, path)
        os.makedirs(self.tool.work, exist_ok=True)
        self.log = os.path.join(self.work, "log")
        print("| phase | seconds | processor, s | largest resident, MiB | |\n|---|---|---|---|---|")
        self.phase(None, *self.tool.init())

    def phase(self, name, *commands, per=None):
        """Runs commands; prints a line if they have a name, with a rate if `per` counts something."""
        cost = measure.run(list(commands), self.tool.environment, self.log)
        if cost.exit:
            raise SystemExit(f"{name} failed with {cost.exit}; see {self.log}")
        if name:
            rate = f"{per[0] / cost.wall_s:,.0f} {per[1]}/s" if per else ""
            print(f"| {name} | {cost.wall_s:.2f} | {cost.user_s + cost.system_s:.2f} "
                  f"| {cost.rss_kib / 1024:.0f} | {rate} |", flush=True)

    def call(self, *words):
        return self.tool.call(*words)

    def chunks(self, count, target):
        """A snapshot of so many chunks, and what everything costs afterwards. Without a `target` where
        all of it has room, it is read, but not restored."""
        with open(os.path.join(self.tree, "file"), "w", encoding="ascii") as file:
            file.write("one small file")
        mib = count * PAGE_BYTES / 2**20
        made = [sys.executable, "-B", os.path.abspath(__file__), str(count)]
        self.phase("backup", self.call("backup", "--stdin-filename", NAME,
                                       "--stdin-from-command", "--", *made), per=(mib, "MiB"))
        self.phase("backup of one file", self.call("backup", self.tree))
        self.phase("snapshots", self.call("snapshots"))
        self.phase("check", self.call("check"), per=(count, "chunks"))
        self.phase("check --read-data", self.call("check", "--read-data"), per=(mib, "MiB"))
        cat = self.call("cat", f"latest~1:{NAME}")
        self.phase("cat", ["sh", "-c", 'exec "$0" "$@" >/dev/null', *cat], per=(mib, "MiB"))
        self.phase("prune --dry-run", self.call("prune", "--dry-run"), per=(count, "chunks"))
        self.phase("index rebuild", self.call("index", "rebuild"), per=(count, "chunks"))
        self.phase("stats", self.call("stats"))
        self.sizes()
        if target:
            self.phase("restore", self.call("restore", f"latest~1:{NAME}", "--target", target),
                       per=(mib, "MiB"))
            same = '"$0" "$@" | cmp - "$NAME"'
            self.phase(None, ["env", f"NAME={os.path.join(target, NAME)}", "sh", "-c", same, *made])

    def files(self, count):
        """So many files there and back."""
        make_files(self.tree, count)
        target = os.path.join(self.work, "target")
        self.phase("backup", self.call("backup", self.tree), per=(count, "files"))
        for _ in range(2):
            self.phase("backup, no change", self.call("backup", self.tree), per=(count, "files"))
        self.phase("ls of everything", self.call("ls", "latest", "--recursive"),
                   per=(count, "files"))
        one = file_of(self.tree, count // 2)
        self.phase("ls of one file", self.call("ls", f"latest:{one}"))
        self.phase("find", self.call("find", os.path.basename(one)))
        self.phase("restore", self.call("restore", f"latest:{self.tree}", "--target", target),
                   per=(count, "files"))
        self.phase("check --read-data", self.call("check", "--read-data"), per=(count, "files"))
        self.phase(None, ["diff", "-r", self.tree, target])
        self.sizes()

    def sizes(self):
        """What lies on the disk, and the log, which may be read until the next time."""
        for name, path in (("repository", self.tool.repository), ("state", self.tool.work)):
            files = (os.path.join(base, file) for base, _, found in os.walk(path) for file in found)
            print(f"\n{name}: {sum(map(os.path.getsize, files)) / 2**20:.0f} MiB", flush=True)


if __name__ == "__main__":
    write_pages(int(sys.argv[1]), sys.stdout.buffer)
