"""The rounds: every phase of every program, interleaved, measured, and its restore compared.

All programs do one phase before any does the next, in an order that rotates from round to round:
what slows the machine down for a while then slows down all of them. A program that fails is left
out for the rest of its round.
"""

import json
import os
import shutil
import subprocess
import sys
import time

import measure
import targets
import tools

RUN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "run")


def apart(*arguments):
    """Runs a part of this program as another process, so that this one stays small."""
    done = subprocess.run([sys.executable, "-B", RUN, *arguments], check=True,
                          stdout=subprocess.PIPE, text=True)
    return done.stdout


def digest(folder):
    """The digest of a tree and what was counted; fills the page cache on the way."""
    return json.loads(apart("digest", folder))


class Results:
    """Writes each result as a line of JSON as soon as it is there, and a line for people."""

    def __init__(self, path, about):
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        # Rounds of two runs in one file could not be told apart.
        self.file = open(path, "x", encoding="utf-8", buffering=1)
        self.about = about

    def add(self, kind, **values):
        """One line; `about` says which tree and store it belongs to."""
        line = {"kind": kind, **self.about, **values, "time": int(time.time())}
        self.file.write(json.dumps(line) + "\n")


class Round:
    """One round with all programs."""

    def __init__(self, number, results, source, chosen, target):
        turn = number % len(chosen)
        self.target = target
        self.number, self.results, self.source = number, results, source
        self.order = chosen[turn:] + chosen[:turn]
        self.failed = set()

    def at(self, day, expected):
        """Brings the tree to this day, reads all of it, and sees that it is what it was."""
        apart("tree", self.source.kind, "--scale", f"{self.source.scale:g}",
              "--work", os.path.dirname(os.path.dirname(self.source.folder)), "--day", str(day))
        found = digest(self.source.root)
        if expected.setdefault(day, found)["digest"] != found["digest"]:
            raise SystemExit(f"the tree of day {day} is not what it was; "
                             f"delete {self.source.folder}")
        if self.number == 0:
            self.results.add("tree", day=day, **found)

    def running(self):
        """The programs that have not failed."""
        return [tool for tool in self.order if tool.name not in self.failed]

    def phase(self, tool, name, commands, folder=None):
        """Measures the commands of one phase of one program."""
        if not commands:
            self.results.add("phase", tool=tool.name, phase=name, round=self.number, none=True)
            return False
        log = os.path.join(tool.work, name.replace(" ", "-") + ".log")
        cost = measure.run(commands, tool.environment, log, folder)
        self.results.add("phase", tool=tool.name, phase=name, round=self.number, **vars(cost))
        print(f"  round {self.number}  {tool.name:20} {name:10} {cost.wall_s:8.2f} s"
              f"  cpu {cost.user_s + cost.system_s:7.2f} s  {cost.rss_kib // 1024:5} MiB"
              + (f"  EXIT {cost.exit}" if cost.exit else ""), flush=True)
        if cost.exit:
            self.failed.add(tool.name)
            print(f"{tool.name} failed; the end of {log}:\n{ending(log)}", file=sys.stderr)
        return cost.exit == 0

    def size(self, tool, name):
        """Bytes and objects of the repository after a phase; not known in an object store."""
        if tool.store is None:
            bytes_, objects = folder_size(tool.repository)
            self.results.add("size", tool=tool.name, phase=name, round=self.number,
                             bytes=bytes_, objects=objects)

    def begin(self):
        """New, empty folders for each program."""
        for tool in self.order:
            shutil.rmtree(tool.work, ignore_errors=True)
            for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
                os.makedirs(tool.environment[name])
            tool.ids = {}
            # In an object store the place is another one in each round.
            tool.environment |= tool.settings()

    def backup(self, phase, tag, sized):
        """The same backup by each program."""
        for tool in self.running():
            if self.phase(tool, phase, tool.backup(tag)):
                tool.remember(tag)
                if sized:
                    self.size(tool, phase)

    def restore(self, expected):
        """Each program restores the second day into an empty folder, which is then compared."""
        for tool in self.running():
            with self.target(tool.inside("restored")) as (target, keep):
                commands = tool.restore("day2", target)
                if not self.phase(tool, "restore", commands, tool.restore_folder(target)):
                    continue
                found = digest(tool.restored(target))
                same = found["digest"] == expected["digest"]
                self.results.add("restored", tool=tool.name, round=self.number, same=same, **found)
                if not same:
                    self.failed.add(tool.name)
                    keep.append(tool)
                    print(f"{tool.name} RESTORED SOMETHING ELSE; see `run digest --lines`:"
                          f" {tool.inside('restored')}", file=sys.stderr)

    def do(self, expected, repeats):
        """The whole round."""
        self.at(1, expected)
        self.begin()
        for tool in self.running():
            self.phase(tool, "init", tool.init())
        self.backup("initial", "day1", sized=True)
        same = [f"same{repeat}" for repeat in range(repeats)]
        for tag in same:
            self.backup("no change", tag, sized=False)
        self.at(2, expected)
        for tool in self.running():
            self.size(tool, "no change")
        self.backup("day 2", "day2", sized=True)
        self.restore(expected[2])
        for tool in self.running():
            self.phase(tool, "check", tool.check())
        for tool in self.running():
            self.phase(tool, "list", tool.listing("day2"))
        for tool in self.running():
            if self.phase(tool, "prune", tool.forget(["day1", *same])):
                self.size(tool, "prune")


def ending(path, lines=6):
    """The last lines of a log."""
    with open(path, encoding="utf-8", errors="replace") as file:
        return "".join(file.readlines()[-lines:])


def folder_size(folder):
    """Bytes and number of all files below a folder."""
    sizes = [os.lstat(os.path.join(place, name)).st_size
             for place, _, names in os.walk(folder) for name in names]
    return sum(sizes), len(sizes)


def do_all(options, results, source, chosen, store):
    """All rounds; true if nothing failed and every restore was right."""
    expected, good = {}, True
    for number in range(options.rounds):
        if store:
            store.round = number
        target = targets.fresh if options.fresh_targets else targets.folder
        one = Round(number, results, source, chosen, target)
        one.do(expected, options.no_change)
        good = good and not one.failed
    if not options.keep:
        for tool in chosen:
            # What a wrong restore left is kept: it is needed to find out what is wrong.
            if not os.path.exists(tool.inside("restored")):
                shutil.rmtree(tool.work, ignore_errors=True)
    return good


def make_tools(names, work, tree, path, store):
    """The programs that were asked for and are there; the others are named."""
    found = [tools.TOOLS[name](work, tree, path, store) for name in names]
    missing = [tool for tool in found if shutil.which(tool.program, path=path) is None]
    for tool in missing:
        print(f"LEFT OUT: {tool.name} is not installed (`run setup` tries to)", file=sys.stderr)
    return [tool for tool in found if tool not in missing]
