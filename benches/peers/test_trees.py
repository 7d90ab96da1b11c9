"""The trees are the same each time, and the second day can be taken back without a trace.

    python3 -m unittest discover -s benches/peers
"""

import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import day2  # noqa: E402
import digest  # noqa: E402
import plans  # noqa: E402
import trees  # noqa: E402

SCALE = {"mixed": 0.001, "small": 0.003}


class Trees(unittest.TestCase):
    """On small trees of both kinds."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def made(self, kind, name):
        root, plan = os.path.join(self.folder, name), plans.PLANS[kind](SCALE[kind])
        trees.make(root, plan)
        return root, plan

    def test_making_twice_gives_the_same_tree(self):
        for kind in plans.PLANS:
            with self.subTest(kind):
                first, _ = self.made(kind, kind + "1")
                second, plan = self.made(kind, kind + "2")
                self.assertEqual(list(digest.lines(first)), list(digest.lines(second)))
                self.assertGreater(len(list(digest.lines(first))), len(plan))

    def test_the_second_day_is_the_same_each_time_and_can_be_taken_back(self):
        for kind in plans.PLANS:
            with self.subTest(kind):
                root, plan = self.made(kind, kind)
                before, counts = list(digest.lines(root)), digest.of_tree(root)
                days = []
                for _ in range(2):
                    day2.apply(root, plan)
                    days.append(list(digest.lines(root)))
                    day2.revert(root, plan)
                    self.assertEqual(list(digest.lines(root)), before)
                    self.assertEqual(digest.of_tree(root)["linked"], counts["linked"])
                self.assertEqual(*days)
                self.assertNotEqual(days[0], before)

    def test_the_second_day_changes_some_files_and_leaves_most_alone(self):
        root, plan = self.made("mixed", "mixed")
        before = set(digest.lines(root))
        changes = day2.choose(plan)
        self.assertTrue(all((changes.edited, changes.deleted, changes.new, changes.renamed)))
        self.assertLessEqual({"database", "image", "log"}, {e.kind for e in changes.edited})
        day2.apply(root, plan)
        after = set(digest.lines(root))
        self.assertGreater(len(before & after), len(before) // 2)

    def test_the_mixed_tree_has_what_it_promises(self):
        root, _ = self.made("mixed", "mixed")
        found = digest.of_tree(root)
        self.assertGreaterEqual(found["linked"], 2)
        self.assertLess(found["allocated"], found["bytes"])
        self.assertTrue(os.path.islink(os.path.join(root, "links/dangling")))
        with open(os.path.join(root, "data/orders.sqlite"), "rb") as file:
            self.assertEqual(file.read(15), b"SQLite format 3")


class Digest(unittest.TestCase):
    """A digest that would not notice a difference would prove nothing."""

    def test_each_kind_of_difference_is_noticed(self):
        with tempfile.TemporaryDirectory() as root:
            file, link = os.path.join(root, "file"), os.path.join(root, "link")
            with open(file, "wb") as opened:
                opened.write(b"content")
            os.symlink("file", link)
            os.utime(file, ns=(5, 5))
            seen = [digest.of_tree(root)["digest"]]
            for change in self.changes(file, link):
                change()
                seen.append(digest.of_tree(root)["digest"])
            self.assertEqual(len(set(seen)), len(seen))

    @staticmethod
    def changes(file, link):
        """Each changes one thing only."""
        def rewrite():
            with open(file, "r+b") as opened:
                opened.write(b"Content")
            os.utime(file, ns=(5, 5))

        def relink():
            time = os.lstat(link).st_mtime_ns
            os.unlink(link)
            os.symlink("File", link)
            os.utime(link, ns=(time, time), follow_symlinks=False)

        return (rewrite, relink, lambda: os.chmod(file, 0o600),
                lambda: os.utime(file, ns=(5, 6)), lambda: os.rename(file, file + "2"),
                lambda: os.mkdir(file), lambda: os.utime(file, ns=(7, 7)))

    def test_a_hole_equals_zeros(self):
        with tempfile.TemporaryDirectory() as root:
            file = os.path.join(root, "file")
            seen = []
            for data in (None, bytes(1 << 20)):
                with open(file, "wb") as opened:
                    opened.write(data) if data else opened.truncate(1 << 20)
                os.utime(file, ns=(5, 5))
                seen.append(digest.of_tree(root)["digest"])
            self.assertEqual(*seen)


if __name__ == "__main__":
    unittest.main()
