"""The recipe file: which sets, with what weight, and the settings of the model."""

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from training.datasets.formats import READERS

DEFAULT_RECIPE = Path(__file__).with_name("recipes") / "general.toml"

Share = Annotated[float, Field(gt=0, lt=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SetRecipe(_Strict):
    """One data set. `exclude`: rows whose fields have these values are left out."""

    name: str
    file: str
    reader: Annotated[str, Field(pattern="^(" + "|".join(READERS) + ")$")]
    weight: Annotated[float, Field(gt=0)] = 1.0
    name_field: str = ""
    exclude: dict[str, str] = {}
    licence: str
    attribution: str


class Recipe(_Strict):
    """`regularisation` is scikit-learn's C, per head where `heads` names one; `calibration` and
    `test` are the shares of groups kept out of training for either purpose; `goal` is the share
    of automatic approvals that has to be right."""

    name: Annotated[str, Field(pattern="^[a-z0-9-]+$")]
    date: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$")]
    seed: int
    languages: list[str]
    features: Annotated[int, Field(gt=0)]
    least_frequency: Annotated[int, Field(gt=0)]
    regularisation: Annotated[float, Field(gt=0)]
    calibration: Share
    test: Share
    goal: Share
    sets: Annotated[list[SetRecipe], Field(min_length=1)]


def read(path: Path) -> Recipe:
    """The recipe in a TOML file; pydantic's ValidationError or tomllib's TOMLDecodeError."""
    return Recipe.model_validate(tomllib.loads(path.read_text("utf-8")))
