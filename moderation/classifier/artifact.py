"""A model on disk: one safetensors file, checked before use, never executed.

The header's single metadata entry is a JSON object with a digest of everything else in the file.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from moderation.classifier import (
    DEFAULT_ARTIFACT as DEFAULT_ARTIFACT,  # noqa: PLC0414 - whoever loads it looks for it here
)
from moderation.classifier.features import BUCKETS, Tables
from moderation.classifier.folding import CODE_POINTS, PAGE
from moderation.classifier.parameters import HEADS, Parameters
from moderation.classifier.pipeline import Classifier
from moderation.classifier.spelling import VOCABULARY_BITS

FORMAT = 4
"""Raised whenever the features change: a model means nothing to features it was not trained on."""

_ENTRY = "moderation"


class ArtifactError(Exception):
    """A model file that cannot be used; the message names the file and the reason."""


def dump(path: Path, parameters: Parameters, metadata: Mapping[str, Any]) -> str:
    """Write a model; return its version.

    `metadata` must be JSON, with `name`, `date`, `languages` and `thresholds` (one per head).
    """
    tensors = _tensors(parameters)
    digest = digest_of(tensors, metadata)
    header = {"format": FORMAT, "heads": HEADS, "digest": digest, "metadata": metadata}
    path.write_bytes(save(tensors, {_ENTRY: json.dumps(header, sort_keys=True)}))
    return _version(metadata, digest)


def load(path: Path) -> Classifier:
    """Read a model; ArtifactError when it is missing, truncated, tampered with or incompatible."""
    try:
        with safe_open(path, framework="np") as file:
            header = json.loads((file.metadata() or {})[_ENTRY])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise ArtifactError(f"{path}: there is no such model file") from None
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read: {error.strerror or error}") from error
    except SafetensorError as error:
        raise ArtifactError(f"{path}: truncated or not a model file: {error}") from error
    except (KeyError, ValueError, RecursionError) as error:
        raise ArtifactError(f"{path}: not a model of this project: no usable header") from error
    _check(path, header, tensors)
    return Classifier(
        _parameters(tensors), _version(header["metadata"], header["digest"]), header["metadata"]
    )


def thresholds(path: Path) -> tuple[str, Mapping[str, float]]:
    """Version and thresholds of a model, from its header alone; load it to be sure of it.

    Raises:
        ArtifactError: there is no such file, or it has no usable header.
    """
    try:
        with safe_open(path, framework="np") as file:
            header = json.loads((file.metadata() or {})[_ENTRY])
            metadata = header["metadata"]
            return _version(metadata, header["digest"]), metadata["thresholds"]
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise ArtifactError(f"{path}: no usable header: {error}") from error


def _check(path: Path, header: Mapping[str, Any], tensors: Mapping[str, npt.NDArray[Any]]) -> None:
    if not isinstance(header, dict):
        raise ArtifactError(f"{path}: not a model of this project: no usable header")
    if header.get("format") != FORMAT:
        raise ArtifactError(
            f"{path}: incompatible: format {header.get('format')}, this version reads {FORMAT}"
        )
    if header.get("heads") != list(HEADS):
        raise ArtifactError(f"{path}: incompatible: its heads are {header.get('heads')}")
    if header.get("digest") != digest_of(tensors, header.get("metadata")):
        raise ArtifactError(
            f"{path}: tampered with or damaged: the content does not match its digest"
        )
    if wrong := _misfit(tensors):
        raise ArtifactError(f"{path}: incompatible: {wrong}")


_LAYOUT: Mapping[str, tuple[type[np.generic], tuple[int | None, ...]]] = {
    "tables.page_of": (np.uint16, (CODE_POINTS // PAGE,)),
    "tables.pages": (np.uint32, (None, PAGE)),
    "tables.vocabulary": (np.uint64, ((1 << VOCABULARY_BITS) // 64,)),
    "tables.marked": (np.uint64, (None,)),
    "tables.parts": (np.uint8, (None,)),
    "kept": (np.uint64, (BUCKETS // 64,)),
    "weights": (np.int8, (None, len(HEADS))),
    "idf": (np.uint8, (None,)),
    "scales": (np.float64, (len(HEADS),)),
    "bias": (np.float64, (len(HEADS),)),
    "least_known": (np.float64, (1,)),
}
"""Type and shape of each tensor; None where a model may have any number."""


def _misfit(tensors: Mapping[str, npt.NDArray[Any]]) -> str:
    """What keeps the tensors from being those of a model; empty if nothing does. The compiled code
    looks at no bounds: in a file of another make it would read any memory."""
    if set(tensors) != set(_LAYOUT):
        return f"its tensors are {', '.join(sorted(tensors))}"
    for name, (kind, shape) in _LAYOUT.items():
        found = tensors[name]
        fits = len(found.shape) == len(shape) and all(
            wanted in {None, size} for size, wanted in zip(found.shape, shape, strict=True)
        )
        if found.dtype != kind or not fits:
            return f"{name} is {found.dtype} of shape {found.shape}"
    rows, marked = int(np.bitwise_count(tensors["kept"]).sum()), tensors["tables.marked"]
    is_table = len(marked).bit_count() == 1 and not marked.all()
    faults = {
        "weights are not of the kept features": not (
            rows == len(tensors["weights"]) == len(tensors["idf"])
        ),
        "tables.page_of names a page that is not there": (
            tensors["tables.page_of"].max() >= len(tensors["tables.pages"])
        ),
        "tables.marked and tables.parts are no table with an empty slot": (
            not is_table or len(tensors["tables.parts"]) != len(marked)
        ),
        "a number is not finite": not all(
            np.isfinite(tensors[name]).all() for name in ("scales", "bias", "least_known")
        ),
    }
    return next((fault for fault, is_there in faults.items() if is_there), "")


def _tensors(parameters: Parameters) -> dict[str, npt.NDArray[Any]]:
    return {
        **{f"tables.{name}": table for name, table in parameters.tables._asdict().items()},
        "kept": parameters.kept,
        "weights": parameters.weights,
        "idf": parameters.idf,
        "scales": parameters.scales,
        "bias": parameters.bias,
        "least_known": np.array([parameters.least_known]),
    }


def _parameters(tensors: Mapping[str, npt.NDArray[Any]]) -> Parameters:
    return Parameters(
        tables=Tables(**{name: tensors[f"tables.{name}"] for name in Tables._fields}),
        kept=tensors["kept"],
        weights=tensors["weights"],
        idf=tensors["idf"],
        scales=tensors["scales"],
        bias=tensors["bias"],
        least_known=float(tensors["least_known"][0]),
    )


def digest_of(tensors: Mapping[str, npt.NDArray[Any]], metadata: object) -> str:
    """SHA-256 over names, types, shapes and bytes of the tensors, and the metadata."""
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = np.ascontiguousarray(tensors[name])
        digest.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
        digest.update(tensor.data)
    return digest.hexdigest()


def _version(metadata: Mapping[str, Any], digest: str) -> str:
    return f"{metadata['name']}-{metadata['date']}-{digest[:8]}"
