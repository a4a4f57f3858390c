"""The command line: pick the command by name first, import its module then.

`import torch` takes seconds, so nothing here or in `unmetal.commands` may import it.
"""

import os
import sys
from importlib import import_module

from unmetal.commands import COMMANDS
from unmetal.errors import InputError


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 1 bad input, 2 wrong arguments."""
    try:
        code = run(sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has gone, as `head` does. Python flushes stdout at exit: let it succeed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # 128 + SIGPIPE, as a shell says it
    return code


def run(arguments: list[str]) -> int:
    """Run one command; returns the exit code."""
    if not arguments or arguments[0] in {"-h", "--help"}:
        print(usage())
        return 0 if arguments else 2
    name, *rest = arguments
    if name == "--version":
        from unmetal.software import software  # noqa: PLC0415  (git, once)

        print(software())
        return 0
    if name not in COMMANDS:
        print(f"unmetal: there is no command {name!r}; see unmetal --help", file=sys.stderr)
        return 2
    import tyro  # noqa: PLC0415  (60 ms that the help does not need)

    command = getattr(import_module(f"unmetal.commands.{name}"), name.capitalize())
    try:
        config = (tyro.conf.FlagCreatePairsOff,)
        tyro.cli(command, prog=f"unmetal {name}", args=rest, config=config).run()
    except InputError as error:
        print(f"unmetal {name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"unmetal {name}: interrupted", file=sys.stderr)
        return 130
    return 0


def usage() -> str:
    """The help page: every command with its one line."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {line}" for name, line in COMMANDS.items()]
    return (
        "usage: unmetal COMMAND ...        unmetal COMMAND --help\n\n"
        "Metal artifact reduction for CT. Research use only.\n\n" + "\n".join(lines)
    )


if __name__ == "__main__":
    sys.exit(main())
