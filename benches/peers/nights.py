"""Many nights: a tree of which one file in a hundred changes each night, and what its newest
snapshot costs to read after all of them.

Every night logs and mailboxes grow, databases and the disk image get scattered writes, and 1 % of
the other files are edited, always the same ones for the same number of nights.
"""

import dataclasses
import json
import os
import shutil

import day2
import measure
import source
import tools
import trees
from seeds import draw

KEPT = ("--keep-last", "7", "--keep-daily", "7", "--keep-weekly", "4")


@dataclasses.dataclass
class Night:
    """What one line of the table says; sizes in MiB."""

    number: int
    snapshots: int
    stored_mib: float
    fragmentation: float

    def line(self):
        return (f"| {self.number} | {self.snapshots} | {self.stored_mib:.0f} | "
                f"{self.fragmentation:.2f} |")


def change(root, plan, number):
    """What happens to the tree in one night."""
    linked = {entry.target for entry in plan if entry.kind == "hardlink"}
    always = [entry for entry in plan if entry.kind in day2.ALWAYS]
    plain = [entry for entry in plan if entry.kind not in day2.ALWAYS
             and entry.kind not in day2.STABLE and entry.path not in linked]
    picked = draw("night", str(number)).sample(plain, max(1, len(plain) // 100))
    for entry in always + picked:
        place = os.path.join(root, entry.path)
        day2.edit(place, entry, str(number))
        # Tools that compare times must see each night as another one.
        trees.finish(place, dataclasses.replace(entry, attribute=b""), day=number + 2)


class Nights:
    """One repository through all nights."""

    def __init__(self, options, path):
        self.source = source.Source(options.work, options.tree, options.scale)
        self.source.bring_to(1)
        self.plan = source.plans.PLANS[options.tree](options.scale)
        work = os.path.join(options.work, "nights")
        shutil.rmtree(work, ignore_errors=True)
        self.tool = tools.Mainstay(work, self.source.root, path)
        os.makedirs(self.tool.work)
        self.log = os.path.join(work, "log")

    def must(self, *commands):
        cost = measure.run(list(commands), self.tool.environment, self.log)
        if cost.exit:
            raise SystemExit(f"a command failed with {cost.exit}; see {self.log}")

    def look(self, number):
        """Where the repository stands."""
        told = [json.loads(self.tool.output(*self.tool.key(), "stats", "--json", *which))
                for which in ((), ("latest",))]
        return Night(number, told[0]["snapshots_count"], told[0]["total_size"] / 2**20,
                     told[1]["fragmentation"])

    def run(self, count, every):
        """All nights; prints the table as it grows."""
        print("| night | snapshots | stored, MiB | bytes decoded for each one restored |\n"
              "|---|---|---|---|", flush=True)
        self.must(*self.tool.init(), *self.tool.backup("night0"))
        print(self.look(0).line(), flush=True)
        # Whatever ends the nights, nobody may take this tree for the first day.
        self.source.note(None)
        for number in range(1, count + 1):
            change(self.source.root, self.plan, number)
            self.must(*self.tool.backup(f"night{number}"))
            if number % every == 0 or number == count:
                print(self.look(number).line(), flush=True)
        mass = ("--confirm-mass-delete", "1000000")
        self.must(self.tool.call("forget", *KEPT, *mass),
                  self.tool.call("prune", "--grace", "0s", *mass))
        print(f"\nafter `forget {' '.join(KEPT)}` and `prune`:\n\n{self.look(count).line()}")
        self.must(self.tool.call("check", "--read-data"))
        shutil.rmtree(os.path.dirname(self.tool.work))
