"""A restore is believed only if the tree it wrote equals the source.

    python3 -m unittest discover -s benches/peers
"""

import contextlib
import io
import json
import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import digest  # noqa: E402
import rounds  # noqa: E402
import targets  # noqa: E402
import tools  # noqa: E402


class Copier(tools.Tool):
    """A program that restores by copying, and says that all is well."""

    name = program = "copier"
    after = "true"

    def restore(self, tag, target):
        return [["sh", "-c", f"cp -a '{self.tree}/.' '{target}' && cd '{target}' && {self.after}"]]

    def restored(self, target):
        return target


class Restores(unittest.TestCase):
    """With a tree of one file."""

    def restored_by(self, after):
        """Lines of results, and who failed, when `after` is done to what was restored."""
        with tempfile.TemporaryDirectory() as work:
            tree, out = os.path.join(work, "tree"), os.path.join(work, "out.jsonl")
            os.mkdir(tree)
            with open(os.path.join(tree, "file"), "w", encoding="utf-8") as file:
                file.write("content")
            tool = Copier(work, tree, os.environ["PATH"])
            tool.after = after
            os.makedirs(tool.work)
            one = rounds.Round(0, rounds.Results(out, {}), None, [tool], targets.folder)
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                one.restore(digest.of_tree(tree))
            one.results.file.close()
            with open(out, encoding="utf-8") as file:
                lines = [json.loads(line) for line in file]
            return [line["same"] for line in lines if line["kind"] == "restored"], one.failed

    def test_an_equal_tree_is_good(self):
        self.assertEqual(self.restored_by("true"), ([True], set()))

    def test_one_changed_byte_with_the_old_time_fails(self):
        spoil = "touch -r file old && printf C | dd of=file conv=notrunc status=none" \
                " && touch -r old file && rm old"
        self.assertEqual(self.restored_by(spoil), ([False], {"copier"}))

    def test_a_program_that_fails_is_not_compared(self):
        self.assertEqual(self.restored_by("exit 3"), ([], {"copier"}))


if __name__ == "__main__":
    unittest.main()
