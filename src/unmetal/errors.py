"""The exception for bad input, and the errors and noise of other libraries in one line."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


class InputError(Exception):
    """Bad input. The message is one line: what is wrong, where, and what to do about it.

    The command line prints it and exits with code 1; any other exception is a bug of ours.
    """


def install_extra(package: str, extra: str) -> str:
    """How to install a package that only an extra of unmetal brings, for messages."""
    return f"{package} is not installed: pip install '.[{extra}]' in the folder of unmetal"


@contextmanager
def suppress_c_stderr() -> Iterator[None]:
    """Discard what C and C++ libraries (ITK, libjpeg, openjpeg) print to file descriptor 2."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def short_error(error: BaseException) -> str:
    """The most telling line of an error's message, at most 300 characters."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    # pydicom lists what each of its decoders said.
    if "raised by all available plugins" in lines[0]:
        return "damaged, truncated, or in an encoding that no decoder here reads"
    # ITK names a place in its own source first and the reason last.
    telling = [line for line in lines if line.startswith(("Reason:", "[nrrd]", "sitk::ERROR"))]
    return (telling or lines)[-1][:300]
