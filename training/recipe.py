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
    """One data set, a file that `training.datasets.columns` reads, relative to the folder given.

    `weight`: how much a row counts in fitting tasks. `calibration`: how much it counts in combining
    them into heads; 0 also keeps the set out of all figures. `domain`: sets of one domain share a
    base rate; set one where rows were chosen so that their share of unwanted comments says
    nothing. `exclude`: rows whose fields have these values are left out.
    """

    name: str
    file: str
    reader: Annotated[str, Field(pattern="^(" + "|".join(READERS) + ")$")]
    weight: Annotated[float, Field(gt=0)] = 1.0
    calibration: Annotated[float, Field(ge=0)] = 1.0
    domain: str = ""
    text_field: str = "text"
    name_field: str = ""
    exclude: dict[str, str] = {}
    licence: str
    attribution: str


class Recipe(_Strict):
    """`features`, `least_frequency`, `common`: see `CommentVectorizer`.

    `regularisation`: scikit-learn's C by task, that of all others under "default". `folds`: parts
    of the data that models are trained without, for calibration and figures. `disguised`: share
    of the rejected comments that are copied in disguise. `per_template`: comments invented per
    template. `goal`: the share of automatic approvals that has to be right. `emphasis`: weight of
    the positive class of a head in calibration, 1 if not given.
    """

    name: Annotated[str, Field(pattern="^[a-z0-9-]+$")]
    date: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$")]
    seed: int
    languages: list[str]
    features: Annotated[int, Field(gt=0)]
    least_frequency: Annotated[int, Field(gt=0)]
    common: Annotated[int, Field(gt=0)]
    regularisation: dict[str, Annotated[float, Field(gt=0)]]
    folds: Annotated[int, Field(ge=2)]
    disguised: Annotated[float, Field(ge=0, le=1)]
    per_template: Annotated[int, Field(ge=0)]
    goal: Share
    emphasis: dict[str, Annotated[float, Field(gt=0)]] = {}
    sets: Annotated[list[SetRecipe], Field(min_length=1)]


def read(path: Path) -> Recipe:
    """The recipe in a TOML file; pydantic's ValidationError or tomllib's TOMLDecodeError."""
    return Recipe.model_validate(tomllib.loads(path.read_text("utf-8")))
