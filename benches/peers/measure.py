"""Runs commands and measures them by what the kernel says when they end.

Time is from before the start to after the end. User and system time and the largest resident size
are those that `wait4` returns: they cover a process and those it waited for. The kernel counts what
the forking process had resident before the command began; `host.facts` says how much that is.
"""

import dataclasses
import os
import subprocess
import time


@dataclasses.dataclass
class Cost:
    """Sums over the commands of a phase; `rss_kib` is the largest of them."""

    wall_s: float = 0.0
    user_s: float = 0.0
    system_s: float = 0.0
    rss_kib: int = 0
    sync_s: float = 0.0
    exit: int = 0

    def add(self, wall_s, status, usage):
        """Counts one command in."""
        self.wall_s += wall_s
        self.user_s += usage.ru_utime
        self.system_s += usage.ru_stime
        self.rss_kib = max(self.rss_kib, usage.ru_maxrss)
        self.exit = os.waitstatus_to_exitcode(status)


def run(commands, environment, log=os.devnull, folder=None):
    """Runs the commands one after another up to the first that fails.

    What was written before reaches the disk first, so that nobody waits for somebody else's data.
    `sync_s` is how long the disk needs afterwards for what the commands themselves left behind.
    """
    cost = Cost()
    os.sync()
    with open(log, "ab") as output:
        for command in commands:
            output.write(f"\n$ {' '.join(command)}\n".encode())
            output.flush()
            begin = time.monotonic()
            child = subprocess.Popen(command, env=environment, cwd=folder, stdout=output,
                                     stderr=output, stdin=subprocess.DEVNULL)
            _, status, usage = os.wait4(child.pid, 0)
            cost.add(time.monotonic() - begin, status, usage)
            child.returncode = cost.exit
            if cost.exit:
                break
    begin = time.monotonic()
    os.sync()
    cost.sync_s = time.monotonic() - begin
    return cost
