"""The garbage collector, kept still while thousands of objects are made."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collection_paused() -> Iterator[None]:
    """Keep the garbage collector from running meanwhile, unless somebody else has turned it off.

    Thousands of new objects would make it run again and again. None of them is garbage, and it goes through a growing
    part of the heap to find that out.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
