"""An experiment: a method, its data and how it is trained; and how to read it back from JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from unmetal import methods
from unmetal.cohorts import samples, unpaired
from unmetal.methods import adn
from unmetal.methods.method import Method
from unmetal.training import loop
from unmetal.weights.load import from_dict


@dataclass(frozen=True)
class Experiment:
    """A preset of `unmetal train`."""

    description: str
    """One line."""

    method: str = "adn"
    """A name of `unmetal methods`."""

    method_config: Any = field(default_factory=adn.Config)
    """The method's own configuration, the `Config` beside its class."""

    data: samples.Config | unpaired.Config = field(default_factory=samples.Config)
    """How samples are drawn: with simulated metal, or of a prepared cohort."""

    training: loop.Config = field(default_factory=loop.Config)
    """How it is trained."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Experiment:
        """The experiment in a run's config.json."""
        types = {
            "method_config": methods.config_class(values["method"]),
            "data": samples.Config if "protocol" in values["data"] else unpaired.Config,
        }
        return from_dict(cls, values, types)

    def build(self) -> Method:
        """The method, with initial weights."""
        return methods.build(self.method, self.method_config)
