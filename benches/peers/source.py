"""A tree on disk and the day it is at, so that a run that was broken off does no harm.

The state stands beside the tree. While a tree is changed the state is `unknown`, and a tree in
that state is made anew.
"""

import contextlib
import json
import os
import shutil
import sqlite3
import zlib

import day2
import plans
import trees

GENERATION = 1  # counts up with every change of what plans and contents make


class Source:
    """One kind of tree at one scale, below the folder of all work."""

    def __init__(self, work, kind, scale):
        self.folder = os.path.join(work, "trees", f"{kind}-{scale:g}")
        self.root = os.path.join(self.folder, "tree")
        self.kind, self.scale = kind, scale
        self.state_file = os.path.join(self.folder, "state.json")
        self.made_by = [GENERATION, sqlite3.sqlite_version, zlib.ZLIB_RUNTIME_VERSION]

    def day(self):
        """1 or 2, or None if there is no tree to rely on."""
        with contextlib.suppress(OSError, ValueError):
            with open(self.state_file, encoding="utf-8") as file:
                state = json.load(file)
            if state["made_by"] == self.made_by:
                return state["day"]
        return None

    def note(self, day):
        """Writes down the day; None while the tree is changing."""
        with open(self.state_file, "w", encoding="utf-8") as file:
            json.dump({"made_by": self.made_by, "day": day}, file)

    def bring_to(self, day):
        """Makes the tree if need be, and brings it to this day."""
        now = self.day()
        if now == day:
            return
        plan = plans.PLANS[self.kind](self.scale)
        if now is None:
            shutil.rmtree(self.folder, ignore_errors=True)
            os.makedirs(self.folder)
            self.note(None)
            trees.make(self.root, plan)
        self.note(None)
        if now == 2:
            day2.revert(self.root, plan)
        elif day == 2:
            day2.apply(self.root, plan)
        self.note(day)
