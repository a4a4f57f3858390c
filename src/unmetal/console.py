"""Terminal output of commands: the log and a progress bar."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial


class StandardError(logging.Handler):
    """Print each message as a line to the current `sys.stderr`."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one message."""
        print(record.getMessage(), file=sys.stderr)


def console_log() -> None:
    """Send the log of unmetal to standard error."""
    log = logging.getLogger("unmetal")
    if not log.handlers:
        log.addHandler(StandardError())
    log.setLevel(logging.INFO)


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A callback for (done, total): a bar on a terminal, a plain line each tenth otherwise."""
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn  # noqa: PLC0415

    if not sys.stderr.isatty():
        yield partial(_print_tenths, what, set())
        return
    columns = [*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn()]
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _print_tenths(what: str, printed: set[int], done: int, total: int) -> None:
    """Print a line whenever another tenth is done, and remember it in `printed`."""
    tenth = 10 * done // max(total, 1)
    if done and tenth not in printed:
        printed.add(tenth)
        print(f"{done} of {total} {what}", file=sys.stderr)
