"""How each program is called. One class for each; a method returns the commands of one phase.

An empty list means that the program has nothing of the kind, which the report shows as `none`.
Everything a program writes (repository, caches, keys, configuration) is below one folder. All run
with their defaults; where a program needs to be told how to encrypt, what its manual starts with.
"""

import json
import os
import subprocess

PASSPHRASE = "correct horse battery staple"


class Tool:
    """What all have in common."""

    name = program = ""
    encrypts = True
    note = ""

    def __init__(self, work, tree, path, store=None):
        self.work = os.path.join(work, self.name)
        self.repository = os.path.join(self.work, "repository")
        self.tree, self.store, self.ids = tree, store, {}
        self.environment = {"PATH": path, "LANG": "C.UTF-8", "TZ": "UTC"}
        for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
            self.environment[name] = self.inside(name.lower())
        if store:
            self.environment |= store.credentials()
        self.environment |= self.settings()

    def inside(self, name):
        """A path in this program's own folder."""
        return os.path.join(self.work, name)

    def output(self, *arguments):
        """What the program prints, without measuring; empty if it fails."""
        done = subprocess.run([self.program, *arguments], env=self.environment, check=False,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        return done.stdout if done.returncode == 0 else ""

    def version(self):
        """The line in which the program names its version."""
        return (self.output("--version") or self.output("version")).strip().split("\n")[0]

    def settings(self):
        """More variables of the environment."""
        return {}

    def remember(self, tag):
        """Looks up the id of the snapshot that was just made; not measured."""
        found = [snapshot for snapshot in self.snapshots() if tag in (snapshot.get("tags") or [])]
        self.ids[tag] = max(found, key=lambda snapshot: snapshot["time"])["id"] if found else tag

    def snapshots(self):
        """Snapshots as the program lists them: objects with `id`, `time`, `tags`."""
        return json.loads(self.output("snapshots", "--json") or "[]")

    def restored(self, target):
        """Where in the target the tree lies after a restore."""
        return os.path.join(target, self.tree.lstrip("/"))

    def restore_folder(self, target):
        """The folder that `restore` has to run in, if it matters."""
        return None


class Mainstay(Tool):
    """With the key file of a machine, as an unattended run has it."""

    name = program = "mainstay"
    note = "key file"

    def settings(self):
        place = self.repository
        if self.store:
            place = self.store.location("s3://{bucket}/{prefix}", self.name)
        return {"MAINSTAY_REPOSITORY": place, "MAINSTAY_PASSWORD": PASSPHRASE,
                "MAINSTAY_STATE_DIR": self.inside("index")}

    def key(self):
        return ["--key-file", self.inside("machine.key")]

    def call(self, *arguments):
        return [self.program, "-q", *self.key(), *arguments]

    def snapshots(self):
        return json.loads(self.output(*self.key(), "snapshots", "--json") or "[]")

    def init(self):
        return [[self.program, "init", "-q"],
                [self.program, "-q", "key", "add", "--role", "admin",
                 "--to-key-file", self.inside("machine.key")]]

    def backup(self, tag):
        return [self.call("backup", "--tag", tag, self.tree)]

    def restore(self, tag, target):
        return [self.call("restore", self.ids[tag], "--target", target)]

    def check(self):
        return [self.call("check", "--read-data")]

    def listing(self, tag):
        return [self.call("ls", self.ids[tag])]

    def forget(self, tags):
        helps = {name: self.output(name, "--help") for name in ("forget", "prune")}
        if not all(helps.values()):
            return []
        # Both hold back what is young or much unless they are told otherwise.
        mass = [["--confirm-mass-delete", str(len(tags))]
                if "--confirm-mass-delete" in helps[name] else [] for name in ("forget", "prune")]
        grace = ["--grace", "0s"] if "--grace" in helps["prune"] else []
        return [self.call("forget", *mass[0], *(self.ids[tag] for tag in tags)),
                self.call("prune", *grace, *mass[1])]


class MainstayPassphrase(Mainstay):
    """The same with a passphrase, which is stretched in each run."""

    name = "mainstay-passphrase"
    note = "passphrase"

    def key(self):
        return []

    def init(self):
        return super().init()[:1]


class MainstayBefore(Mainstay):
    """An older program, to see what a change costs."""

    name = program = "mainstay-before"
    note = "key file, an older program"


class Restic(Tool):
    """Its restores of the whole snapshot work in all versions, those of a folder in newer ones."""

    name = program = "restic"
    note = "passphrase"

    def settings(self):
        place = self.repository
        if self.store:
            place = self.store.location("s3:{endpoint}/{bucket}/{prefix}", self.name)
        return {"RESTIC_REPOSITORY": place, "RESTIC_PASSWORD": PASSPHRASE}

    def version(self):
        return self.output("version").strip()

    def init(self):
        return [["restic", "-q", "init"]]

    def backup(self, tag):
        return [["restic", "-q", "backup", "--tag", tag, self.tree]]

    def restore(self, tag, target):
        return [["restic", "-q", "restore", self.ids[tag], "--target", target]]

    def check(self):
        return [["restic", "-q", "check", "--read-data"]]

    def listing(self, tag):
        return [["restic", "-q", "ls", self.ids[tag]]]

    def forget(self, tags):
        return [["restic", "-q", "forget", "--prune", *(self.ids[tag] for tag in tags)]]


class Rustic(Tool):
    """Reads and writes the format of restic."""

    name = program = "rustic"
    note = "passphrase"

    def settings(self):
        found = {"RUSTIC_REPOSITORY": self.repository, "RUSTIC_PASSWORD": PASSPHRASE,
                 "RUSTIC_NO_PROGRESS": "true", "RUSTIC_LOG_LEVEL": "warn"}
        if self.store:
            found["RUSTIC_REPOSITORY"] = "opendal:s3"
            options = {"endpoint": "{endpoint}", "bucket": "{bucket}", "root": "/{prefix}",
                       "region": "{region}"}
            for name, form in options.items():
                found[f"OPENDAL_{name.upper()}"] = self.store.location(form, self.name)
            found["OPENDAL_ACCESS_KEY_ID"] = self.environment["AWS_ACCESS_KEY_ID"]
            found["OPENDAL_SECRET_ACCESS_KEY"] = self.environment["AWS_SECRET_ACCESS_KEY"]
        return found

    def snapshots(self):
        # Grouped: lists in objects in lists, another way in each version.
        return list(flattened(json.loads(self.output("snapshots", "--json") or "[]")))

    def init(self):
        return [["rustic", "init"]]

    def backup(self, tag):
        return [["rustic", "backup", "--tag", tag, self.tree]]

    def restore(self, tag, target):
        return [["rustic", "restore", f"{self.ids[tag]}:{self.tree}", target]]

    def restored(self, target):
        return target

    def check(self):
        return [["rustic", "check", "--read-data"]]

    def listing(self, tag):
        return [["rustic", "ls", self.ids[tag]]]

    def forget(self, tags):
        return [["rustic", "forget", *(self.ids[tag] for tag in tags)],
                ["rustic", "prune", "--instant-delete"]]


class Borg(Tool):
    """With the mode that its manual recommends where BLAKE2 is faster than SHA-256."""

    name = program = "borg"
    note = "passphrase, repokey-blake2"

    def settings(self):
        return {"BORG_REPO": self.repository, "BORG_PASSPHRASE": PASSPHRASE,
                "BORG_BASE_DIR": self.inside("home")}

    def remember(self, tag):
        self.ids[tag] = tag

    def init(self):
        return [["borg", "init", "--encryption", "repokey-blake2"]]

    def backup(self, tag):
        return [["borg", "create", f"::{tag}", self.tree]]

    def restore(self, tag, target):
        return [["borg", "extract", f"::{tag}"]]

    def restore_folder(self, target):
        return target

    def check(self):
        return [["borg", "check", "--verify-data"]]

    def listing(self, tag):
        return [["borg", "list", f"::{tag}"]]

    def forget(self, tags):
        return [["borg", "delete", self.repository, *tags], ["borg", "compact"]]


class Bupstash(Tool):
    """Has no check that reads the data."""

    name = program = "bupstash"
    note = "key file"

    def settings(self):
        return {"BUPSTASH_REPOSITORY": self.repository, "BUPSTASH_KEY": self.inside("key"),
                "BUPSTASH_QUERY_CACHE": self.inside("query"),
                "BUPSTASH_SEND_LOG": self.inside("sent")}

    def remember(self, tag):
        self.ids[tag] = tag

    def init(self):
        return [["bupstash", "new-key", "-o", self.inside("key")], ["bupstash", "init"]]

    def backup(self, tag):
        return [["bupstash", "put", "-q", f"tag={tag}", self.tree]]

    def restore(self, tag, target):
        return [["bupstash", "restore", "-q", "--into", target, f"tag={tag}"]]

    def restored(self, target):
        return target

    def check(self):
        return []

    def listing(self, tag):
        return [["bupstash", "list-contents", f"tag={tag}"]]

    def forget(self, tags):
        return [*(["bupstash", "rm", f"tag={tag}"] for tag in tags), ["bupstash", "gc"]]


class Conserve(Tool):
    """Does not encrypt: shown for comparison, and never the peer that ratios are taken to."""

    name = program = "conserve"
    encrypts = False
    note = "no encryption"

    def remember(self, tag):
        self.ids[tag] = f"b{len(self.ids):04}"

    def init(self):
        return [["conserve", "init", self.repository]]

    def backup(self, tag):
        return [["conserve", "backup", "--no-progress", self.repository, self.tree]]

    def restore(self, tag, target):
        return [["conserve", "restore", "--no-progress", "-b", self.ids[tag], self.repository,
                 target]]

    def restored(self, target):
        return target

    def check(self):
        return [["conserve", "validate", "--no-progress", self.repository]]

    def listing(self, tag):
        return [["conserve", "ls", "-b", self.ids[tag], self.repository]]

    def forget(self, tags):
        chosen = [part for tag in tags for part in ("-b", self.ids[tag])]
        return [["conserve", "delete", "--no-progress", *chosen, self.repository]]


def flattened(value):
    """All objects with an id, however deep they lie."""
    if isinstance(value, dict) and "id" in value and "time" in value:
        yield value
    elif isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from flattened(inner)


TOOLS = {tool.name: tool for tool in
         (Mainstay, MainstayPassphrase, MainstayBefore, Restic, Rustic, Borg, Bupstash, Conserve)}
DEFAULT = [name for name in TOOLS if name not in ("mainstay-passphrase", "mainstay-before")]
OVER_S3 = ("mainstay", "mainstay-passphrase", "restic", "rustic")
