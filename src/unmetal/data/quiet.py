"""C and C++ libraries print to stderr what their exceptions say again, or nothing at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Keep ITK, libjpeg and openjpeg off stderr: an error is one line, and it is ours.

    Works on the file descriptor, for those libraries know nothing of `sys.stderr`.
    """
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
