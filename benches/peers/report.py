"""Tables in Markdown from lines of results.

A cell is the median over all rounds, with the least and the greatest value. A phase that failed
once, or whose restore was not equal, is shown as that and not as a time. Ratios compare Mainstay
with the best peer that encrypts, phase by phase.
"""

import collections
import json
import statistics

OURS = "mainstay"
PHASES = ("init", "initial", "no change", "day 2", "restore", "check", "list", "prune")
MIB = 1 << 20


def read(paths):
    """All lines of all files."""
    lines = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            lines += [json.loads(line) for line in file]
    return lines


class Table:
    """The lines of one kind of tree in one kind of place."""

    def __init__(self, lines):
        self.phases = [line for line in lines if line["kind"] == "phase"]
        self.sizes = [line for line in lines if line["kind"] == "size"]
        self.restored = [line for line in lines if line["kind"] == "restored"]
        self.trees = {line["day"]: line for line in lines if line["kind"] == "tree"}
        self.tools = {line["name"]: line for line in lines if line["kind"] == "tool"}

    def trouble(self, tool, phase):
        """Why there is no figure: `failed`, `differs`, `none`, `–`, or nothing if there is one."""
        rows = [row for row in self.phases if (row["tool"], row["phase"]) == (tool, phase)]
        if not rows:
            return "–"
        if any(row.get("exit") for row in rows):
            return "**failed**"
        if phase == "restore" and not all(row["same"] for row in self.restored_by(tool)):
            return "**differs**"
        return "none" if all(row.get("none") for row in rows) else ""

    def restored_by(self, tool):
        """What was found in the trees that this program restored."""
        return [row for row in self.restored if row["tool"] == tool]

    def values(self, tool, phase, field):
        """What was measured in each round, in seconds or MiB."""
        if self.trouble(tool, phase):
            return []
        rows = [row for row in self.phases if (row["tool"], row["phase"]) == (tool, phase)]
        if field == "cpu_s":
            return [row["user_s"] + row["system_s"] for row in rows]
        return [row[field] / 1024 if field == "rss_kib" else row[field] for row in rows]

    def stored(self, tool, phase, field="bytes"):
        """Sizes of the repository after a phase, by round."""
        rows = {row["round"]: row[field] for row in self.sizes
                if (row["tool"], row["phase"]) == (tool, phase)}
        return rows

    def size_values(self, tool, what):
        """MiB: after a phase, or what the second day added."""
        if what != "added":
            return [size / MIB for size in self.stored(tool, what).values()]
        before, after = self.stored(tool, "no change"), self.stored(tool, "day 2")
        return [(after[number] - before[number]) / MIB for number in after if number in before]


def spread(values, digits=2):
    """`median (least–greatest)`."""
    if not values:
        return "–"
    low, middle, high = min(values), statistics.median(values), max(values)
    if len(values) == 1:
        return f"{middle:.{digits}f}"
    return f"{middle:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def grid(head, rows):
    """A table in Markdown."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def measured(table, field, digits):
    """One row for each program, one column for each phase."""
    rows = [[tool, *(table.trouble(tool, phase) or spread(table.values(tool, phase, field), digits)
                     for phase in PHASES)] for tool in table.tools]
    return grid(["", *PHASES], rows)


def sizes(table):
    """How large repositories are, how many objects they have, and what restores kept."""
    rows = []
    for tool in table.tools:
        objects = table.stored(tool, "day 2", "objects").values()
        rows.append([tool, *(spread(table.size_values(tool, what), 1)
                             for what in ("initial", "added", "day 2", "prune")),
                     spread(list(objects), 0), kept(table, tool)])
    return grid(["", "after initial", "day 2 adds", "after day 2", "after prune",
                 "objects after day 2", "restored as well"], rows)


def kept(table, tool):
    """Hard links, attributes and holes of the source that came back."""
    rows, source = table.restored_by(tool), table.trees.get(2)
    if not rows or not source:
        return "–"
    last = rows[-1]
    found = [name for name, field in (("hard links", "linked"), ("attributes", "attributes"))
             if source[field] and last[field] >= source[field]]
    # Half of the holes is enough: where they begin and end differs by a block or two.
    holes = source["bytes"] - source["allocated"]
    if holes > 0 and last["bytes"] - last["allocated"] > holes / 2:
        found.append("holes")
    return ", ".join(found) or "nothing"


def best(table, values_of):
    """The least median among peers that encrypt, and whose it is."""
    medians = [(statistics.median(values_of(tool)), tool) for tool, about in table.tools.items()
               if about["encrypts"] and not tool.startswith(OURS) and values_of(tool)]
    return min(medians, default=None)


def ratios(table):
    """How many times as fast as the best peer, and how large beside the smallest."""
    rows = []
    for phase in PHASES:
        def seconds(tool, phase=phase):
            return table.values(tool, phase, "wall_s")
        rows.append([phase, "times as fast", *ratio(table, seconds, faster=True)])
    for what, name in (("initial", "repository after initial"), ("added", "day 2 adds"),
                       ("prune", "repository after prune")):
        def mib(tool, what=what):
            return table.size_values(tool, what)
        rows.append([name, "of the size", *ratio(table, mib, faster=False)])
    return grid(["", "ratio means", OURS, "best peer that encrypts", "ratio"], rows)


def ratio(table, values_of, faster):
    """Our figure, the best peer's, and one over the other."""
    peer, ours = best(table, values_of), values_of(OURS) if OURS in table.tools else []
    own = f"{statistics.median(ours):.2f}" if ours else "none"
    if peer is None:
        return [own, "none", "–"]
    other = f"{peer[0]:.2f} ({peer[1]})"
    if not ours or statistics.median(ours) <= 0 or peer[0] <= 0:
        return [own, other, "–"]
    value = peer[0] / statistics.median(ours) if faster else statistics.median(ours) / peer[0]
    return [own, other, f"**{value:.2f}**"]


def host(line):
    """The machine in a few words."""
    return (f"{line['cores']} cores ({line['processor']}; {' '.join(line['flags'])}), "
            f"{line['memory_mib'] // 1024} GiB, Linux {line['kernel']}, {line['file_system']}, "
            f"load at the start {line['load']}; the least resident size that can be measured is "
            f"{line['least_rss_mib']} MiB.")


def section(name, lines):
    """Everything about one tree."""
    table = Table(lines)
    rounds = 1 + max((row["round"] for row in table.phases), default=-1)
    parts = [f"## {name}\n"]
    parts += sorted({host(line) for line in lines if line["kind"] == "host"})
    for day, tree in sorted(table.trees.items()):
        parts.append(f"Day {day}: {tree['files']:,} files, {tree['entries']:,} entries, "
                     f"{tree['bytes'] / MIB:,.0f} MiB, digest `{tree['digest'][:16]}`.")
    parts.append(f"\n{rounds} rounds, all interleaved. Versions: " + "; ".join(
        f"{name} = {about['version']} ({about['note']})" for name, about in table.tools.items()))
    for title, body in (("Seconds", measured(table, "wall_s", 2)),
                        ("Seconds of processor time", measured(table, "cpu_s", 2)),
                        ("Largest resident size, MiB", measured(table, "rss_kib", 0)),
                        ("Seconds that the disk needed afterwards", measured(table, "sync_s", 2)),
                        ("Repository, MiB", sizes(table)), ("Ratios", ratios(table))):
        parts.append(f"\n### {title}\n\n{body}")
    return "\n".join(parts)


def markdown(paths):
    """The whole report."""
    groups = collections.defaultdict(list)
    for line in read(paths):
        groups[f"{line['tree']}, scale {line['scale']:g}, in {line['place']}"].append(line)
    return "\n".join(section(name, lines) for name, lines in groups.items())
