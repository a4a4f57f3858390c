"""`unmetal methods`: the methods, with one line each."""

from dataclasses import dataclass

from unmetal.methods import METHODS


@dataclass(frozen=True)
class Methods:
    """The methods of metal artifact reduction there are, with one line each."""

    def run(self) -> None:
        """Print the table."""
        width = max(map(len, METHODS))
        for name, entry in METHODS.items():
            print(f"{name:<{width}}  {entry.line}")
