"""How this process keeps memory that it is done with: it does not. Only glibc has to be told."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from typing import Any

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
"""As <malloc.h> of glibc numbers them."""

_LARGE_BYTES = 128 << 10
_TUNED = ("GLIBC_TUNABLES", "MALLOC_ARENA_MAX", "MALLOC_MMAP_THRESHOLD_")


def keep_nothing() -> None:
    """Have large blocks go back to the system once they are free, and all threads share one heap.

    By itself glibc keeps a heap for each thread, and from the first patch of some megabytes on cuts all that are
    smaller out of these, which are full of holes after a while. Who tunes it from outside has the last word.
    """
    if hasattr(_libc(), "mallopt") and not any(name in os.environ for name in _TUNED):
        _libc().mallopt(_M_ARENA_MAX, 1)
        _libc().mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)


def give_back() -> None:
    """Give the system what is free inside of the heap, too; some milliseconds."""
    if hasattr(_libc(), "malloc_trim"):
        _libc().malloc_trim(0)


@cache
def _libc() -> Any:  # noqa: ANN401 - functions by name, as they are there
    return ctypes.CDLL(None)
