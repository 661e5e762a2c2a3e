"""The recipe file: which sets, with what weight, and the settings of the model."""

import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from training.datasets.columns import Columns
from training.datasets.formats import READERS

DEFAULT_RECIPE = Path(__file__).with_name("recipes") / "general.toml"

Share = Annotated[float, Field(gt=0, lt=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Split(StrEnum):
    """What rows that stay together have in common."""

    GROUP = "group"
    SOURCE = "source"
    TIME = "time"


class SetRecipe(_Strict):
    """One data set, a file that `training.datasets.columns` reads, relative to the folder given.

    `weight`: how much a row counts in fitting tasks. `calibration`: how much it counts in combining
    them into heads; 0 also keeps the set out of all figures. `domain`: sets of one domain share a
    base rate; set one where rows were chosen so that their share of unwanted comments says
    nothing. `exclude`: rows whose fields have these values are left out.

    A published set has a `reader` of its own; a set of your own says in `columns` where it has what
    (see `Columns`), and in `split` which rows stay together when the data is split: those of a
    `group`, of a `source`, or of a month ("time").
    """

    name: str
    file: str
    reader: Annotated[str, Field(pattern="^(" + "|".join(READERS) + ")$")] = ""
    columns: Columns | None = None
    split: Split = Split.GROUP
    weight: Annotated[float, Field(gt=0)] = 1.0
    calibration: Annotated[float, Field(ge=0)] = 1.0
    domain: str = ""
    text_field: str = "text"
    name_field: str = ""
    exclude: dict[str, str] = {}
    licence: str
    attribution: str

    @model_validator(mode="after")
    def _is_read_in_one_way(self) -> Self:
        if bool(self.reader) == bool(self.columns):
            raise ValueError(f"set {self.name!r} needs a reader or columns, and not both")
        return self


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

    @field_validator("regularisation")
    @classmethod
    def _has_a_default(cls, regularisation: dict[str, float]) -> dict[str, float]:
        if "default" not in regularisation:
            raise ValueError("'default' is missing")
        return regularisation


def read(path: Path) -> Recipe:
    """The recipe in a TOML file; pydantic's ValidationError, or ValueError when it is no TOML."""
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return Recipe.model_validate(content)
