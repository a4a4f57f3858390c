"""An experiment, one method, its data and how it is trained; and what JSON has made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from unmetal.cohorts import samples, unpaired
from unmetal.methods import adn
from unmetal.methods.method import Method
from unmetal.training import loop
from unmetal.weights.load import config_class, from_dict, method_class


@dataclass(frozen=True)
class Experiment:
    """A preset of `unmetal train`."""

    line: str
    """What it is."""

    method: str = "adn"
    """A name in `unmetal.methods.METHODS`."""

    method_config: Any = field(default_factory=adn.Config)
    """The method's own configuration, the `Config` beside its class."""

    data: samples.Config | unpaired.Config = field(default_factory=samples.Config)
    """What samples are made of."""

    training: loop.Config = field(default_factory=loop.Config)
    """How it is trained."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Experiment:
        """The experiment that a run's config.json holds."""
        kinds = samples.Config if "protocol" in values["data"] else unpaired.Config
        return from_dict(
            cls, values, {"method_config": config_class(values["method"]), "data": kinds}
        )

    def build(self) -> Method:
        """The method, with fresh weights."""
        return method_class(self.method)(self.method_config)
