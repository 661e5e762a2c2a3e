"""Text in, prediction out.

Pure: nothing here knows Flask, SQL, Redis or RQ, because the worker, the training commands and the
synchronous protocols of the web process all stand on it.
"""

from pathlib import Path

DEFAULT_ARTIFACT = Path(__file__).with_name("default.safetensors")
"""The model that ships. Named here, so that who only wants the name loads nothing."""
