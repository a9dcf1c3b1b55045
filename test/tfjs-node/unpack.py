"""Takes libtensorflow and its C headers out of the wheel in a folder: unpack.py FOLDER."""

import sys
import zipfile
from pathlib import Path

folder = Path(sys.argv[1])
(wheel,) = folder.glob("*.whl")
parts = {
    "lib": ("tensorflow/libtensorflow_cc.so.2", "tensorflow/libtensorflow_framework.so.2"),
    "include": (
        "tensorflow/include/tensorflow/c/",
        "tensorflow/include/tensorflow/core/platform/ctstring",
        "tensorflow/include/tsl/platform/ctstring",
        "tensorflow/include/xla/tsl/c/",
    ),
}
with zipfile.ZipFile(wheel) as archive:
    names = [name for name in archive.namelist() if not name.endswith("/")]
    for part, prefixes in parts.items():
        for prefix in prefixes:
            found = [name for name in names if name.startswith(prefix)]
            if not found:
                sys.exit(f"{wheel.name} holds nothing that begins with {prefix}")
            for name in found:
                target = folder / part / Path(name).relative_to("tensorflow/include" if part == "include" else "tensorflow")
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(name) as source, target.open("wb") as file:
                    while block := source.read(2**20):
                        file.write(block)
wheel.unlink()
