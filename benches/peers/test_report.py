"""The tables say what the results say, above all when something went wrong.

    python3 -m unittest discover -s benches/peers
"""

import os
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import measure  # noqa: E402
import report  # noqa: E402


def phase(tool, name, wall_s, number=0, **more):
    """A line of results."""
    return {"kind": "phase", "tool": tool, "phase": name, "round": number, "wall_s": wall_s,
            "user_s": 0.0, "system_s": 0.0, "sync_s": 0.0, "rss_kib": 2_048, "exit": 0, **more}


def about(name, encrypts=True):
    """The line that names a program."""
    return {"kind": "tool", "name": name, "version": name, "encrypts": encrypts, "note": ""}


class Report(unittest.TestCase):
    """On lines made up for the purpose."""

    def test_the_best_peer_is_the_fastest_that_encrypts_and_did_not_fail(self):
        table = report.Table([
            about("mainstay"), about("slow"), about("fast"), about("broken"), about("open", False),
            phase("mainstay", "initial", 2.0), phase("slow", "initial", 8.0),
            phase("fast", "initial", 6.0), phase("open", "initial", 1.0),
            phase("broken", "initial", 0.1, exit=1)])
        self.assertIn("| initial | times as fast | 2.00 | 6.00 (fast) | **3.00** |",
                      report.ratios(table))

    def test_a_restore_that_differs_is_no_figure(self):
        lines = [about("mainstay"), about("peer"), phase("mainstay", "restore", 1.0),
                 phase("peer", "restore", 0.5)]
        lines += [{"kind": "restored", "tool": tool, "round": 0, "same": tool == "mainstay"}
                  for tool in ("mainstay", "peer")]
        table = report.Table(lines)
        self.assertEqual(table.trouble("peer", "restore"), "**differs**")
        self.assertEqual(table.values("peer", "restore", "wall_s"), [])
        self.assertIn("| restore | times as fast | 1.00 | none | – |", report.ratios(table))

    def test_median_and_spread(self):
        self.assertEqual(report.spread([3.0, 1.0, 2.0]), "2.00 (1.00–3.00)")
        self.assertEqual(report.spread([]), "–")

    def test_what_the_second_day_adds_is_taken_within_a_round(self):
        sizes = [{"kind": "size", "tool": "t", "phase": name, "round": number, "bytes": bytes_ << 20,
                  "objects": 1} for number, name, bytes_ in
                 ((0, "no change", 10), (0, "day 2", 13), (1, "no change", 20), (1, "day 2", 25))]
        self.assertEqual(report.Table(sizes).size_values("t", "added"), [3.0, 5.0])


class Measure(unittest.TestCase):
    """Costs add up over the commands of a phase, and end at the first that fails."""

    def test_a_failure_ends_the_phase(self):
        environment = dict(os.environ)
        cost = measure.run([["true"], ["sh", "-c", "exit 7"], ["sleep", "60"]], environment)
        self.assertEqual(cost.exit, 7)
        self.assertLess(cost.wall_s, 50)

    def test_time_that_passes_is_seen(self):
        cost = measure.run([["sleep", "0.05"], ["sleep", "0.05"]], dict(os.environ))
        self.assertGreaterEqual(cost.wall_s, 0.1)
        self.assertGreater(cost.rss_kib, 0)


if __name__ == "__main__":
    unittest.main()
