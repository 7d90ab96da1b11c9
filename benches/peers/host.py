"""Facts about the machine that a reader needs to judge the figures."""

import os
import platform

import measure

FLAGS = ("aes", "avx2", "avx512f", "sha_ni", "vaes", "gfni", "asimd", "sha2")


def field(path, name):
    """The first value of `name` in a file of `name : value` lines."""
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                key, _, value = line.partition(":")
                if key.strip().lower() == name:
                    return value.strip()
    except OSError:
        pass
    return ""


def file_system(path):
    """The type of the file system that holds `path`."""
    best = ("", "unknown")
    with open("/proc/self/mounts", encoding="utf-8") as file:
        for line in file:
            _, point, kind = line.split()[:3]
            inside = os.path.commonpath([point, os.path.realpath(path)]) == point
            if inside and len(point) >= len(best[0]):
                best = (point, kind)
    return best[1]


def facts(work):
    """What is printed above the tables."""
    flags = (field("/proc/cpuinfo", "flags") or field("/proc/cpuinfo", "features")).split()
    memory_kib = int((field("/proc/meminfo", "memtotal") or "0 kB").split()[0])
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": field("/proc/cpuinfo", "model name") or platform.machine(),
        "flags": [flag for flag in FLAGS if flag in flags],
        "memory_mib": memory_kib // 1024,
        "kernel": platform.release(),
        "file_system": file_system(work),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
        "least_rss_mib": round(measure.run([["true"]], dict(os.environ)).rss_kib / 1024, 1),
    }
