"""`unmetal methods`: the methods, with one line each."""

from dataclasses import dataclass

from unmetal.methods import all_methods


@dataclass(frozen=True)
class Methods:
    """The methods of metal artifact reduction there are, with one line each."""

    def run(self) -> None:
        """Print the table."""
        entries = all_methods()
        width = max(map(len, entries))
        for name, entry in entries.items():
            print(f"{name:<{width}}  {entry.description}")
