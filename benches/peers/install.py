"""Installs the peers with package managers only, into a folder of their own where that works.

Debian: restic and borgbackup. PyPI: borgbackup. cargo: rustic, bupstash and conserve. What
cannot be installed is said at the end and is missing from the tables; nothing else fails.
"""

import glob
import os
import shutil
import subprocess
import sys

DEBIAN = ("restic", "borgbackup")
# For building what comes as source.
BUILD = ("python3-venv", "python3-dev", "gcc", "pkg-config", "libacl1-dev", "libssl-dev",
         "liblz4-dev", "libxxhash-dev", "libzstd-dev", "libsodium-dev")
PYPI = "borgbackup==1.4.5"
CRATES = (("rustic-rs", "0.11.4", ("--no-default-features",)), ("bupstash", "0.12.0", ()),
          ("conserve", "24.8.0", ("--no-default-features",)))
NEWEST_SUITE = "sid"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def search_path(folder, mainstay):
    """Where programs are looked for: Mainstay, what was installed here, what the machine has."""
    own = [os.path.join(folder, *parts) for parts in
           (("newest", "usr", "bin"), ("venv", "bin"), ("cargo", "bin"))]
    return os.pathsep.join([os.path.dirname(mainstay), *own, os.environ["PATH"]])


def tried(*command, **more):
    """Runs a command; false, and said so, if it fails."""
    print("+", " ".join(command), flush=True)
    try:
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, **more)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return False
    return True


def from_debian(packages):
    """Installs packages, or says which are wanted."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        print(f"NOT ROOT, or no apt-get: install these yourself: {' '.join(packages)}",
              file=sys.stderr)
        return False
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    install = ("apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages)
    return tried(*install, env=environment) or (
        tried("apt-get", "-qq", "update") and tried(*install, env=environment))


def newest_restic(folder):
    """Unpacks the newest restic of Debian beside the one of this release, touching neither.

    apt is given lists and sources of its own; the mirror is the one that this machine uses.
    """
    apt = os.path.join(folder, "apt")
    for part in ("lists/partial", "cache/archives/partial", "etc"):
        os.makedirs(os.path.join(apt, part), exist_ok=True)
    listed = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI)"], check=False,
                            capture_output=True, text=True).stdout.split()
    mirrors = [uri for uri in listed if uri.rstrip("/").endswith("/debian")]
    if not mirrors:
        print("FAILED: apt names no Debian mirror", file=sys.stderr)
        return False
    with open(os.path.join(apt, "etc/sources.list"), "w", encoding="utf-8") as file:
        file.write(f"deb [signed-by={KEYRING}] {mirrors[0]} {NEWEST_SUITE} main\n")
    with open(os.path.join(apt, "apt.conf"), "w", encoding="utf-8") as file:
        file.write(f'Dir::Etc::sourcelist "{apt}/etc/sources.list";\n'
                   f'Dir::Etc::sourceparts "{apt}/none";\n'
                   f'Dir::State::lists "{apt}/lists";\nDir::Cache "{apt}/cache";\n')
    environment = dict(os.environ, APT_CONFIG=os.path.join(apt, "apt.conf"))
    if not (tried("apt-get", "-qq", "update", env=environment)
            and tried("apt-get", "-qq", "download", "restic", env=environment, cwd=apt)):
        return False
    package = max(glob.glob(os.path.join(apt, "restic_*.deb")), key=os.path.getmtime)
    return tried("dpkg-deb", "-x", package, os.path.join(folder, "newest"))


def newest_borg(folder):
    """The pinned borg of PyPI, in an environment of its own."""
    venv = os.path.join(folder, "venv")
    return (tried(sys.executable, "-m", "venv", venv)
            and tried(os.path.join(venv, "bin/pip"), "-q", "install", PYPI))


def from_crates(folder):
    """Builds those that are written in Rust. The first time takes long."""
    if not shutil.which("cargo"):
        print("NO CARGO: rustic, bupstash and conserve are left out", file=sys.stderr)
        return
    for name, version, options in CRATES:
        tried("cargo", "install", "--quiet", "--locked", "--root", os.path.join(folder, "cargo"),
              "--target-dir", os.path.join(folder, "target"), name, "--version", version, *options)


def all_of_them(folder, newest):
    """Everything; `newest` takes restic and borg that are newer than this Debian."""
    os.makedirs(folder, exist_ok=True)
    from_debian(DEBIAN)
    from_debian(BUILD)
    if newest:
        newest_restic(folder)
        newest_borg(folder)
    from_crates(folder)
