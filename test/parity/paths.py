"""Where the parity suite keeps what it makes. Importing this module first keeps every later import off the network."""

import hashlib
import json
import os
import warnings
from importlib.metadata import version
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
os.environ["TQDM_DISABLE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

# PEFT asks transformers in a way that the newest one deprecates; nothing here can change that.
warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated")

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MODELS = ROOT / "test" / ".models"
CACHE = ROOT / "test" / ".cache" / "parity"

# Values of model_type of models that write no text.
ENCODERS = ("bert",)

LIBRARIES = ("torch", "transformers", "peft", "safetensors", "tokenizers", "numpy")


def versions() -> dict[str, str]:
    return {name: version(name) for name in LIBRARIES}


def stamp(*sources: Path) -> str:
    """A hash of scripts and library versions: what was made under another stamp is made again."""
    digest = hashlib.sha256(json.dumps(versions(), sort_keys=True).encode())
    for source in sources:
        digest.update(source.read_bytes())
    return digest.hexdigest()


def is_current(folder: Path, wanted: str) -> bool:
    file = folder / "made-by.sha256"
    return file.is_file() and file.read_text() == wanted


def mark_current(folder: Path, wanted: str) -> None:
    (folder / "made-by.sha256").write_text(wanted)
