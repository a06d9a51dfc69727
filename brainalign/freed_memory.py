"""Freed memory stays with the process, so that the next large array does not begin with page faults."""

from __future__ import annotations

import ctypes
import platform

__all__ = ["keep_freed_memory"]

# of mallopt(3): where the heap's end is given back, and from which size on blocks are mapped one by one
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 512 * 2**20
_LARGEST_BYTES = 32 * 2**20  # the most that glibc takes


def keep_freed_memory() -> bool:
    """Let the allocator keep up to 512 MB that were freed; return whether it does.

    A forward pass allocates and frees an array of some megabytes for every operation. glibc maps and unmaps such
    blocks one by one, and the kernel zeroes each page anew: a third of the time of a small network on a CPU. Only for
    a process of our own: a library does not set this for its user. Nothing happens without glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_MMAP_THRESHOLD, _LARGEST_BYTES)) and bool(mallopt(_TRIM_THRESHOLD, _KEPT_BYTES))
