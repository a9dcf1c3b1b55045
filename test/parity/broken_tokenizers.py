"""Damaged tokenizers, and what Python's tokenizers says of each: test/.cache/broken-tokenizers/cases.jsonl. Quick when up to date."""

import json
import random
from multiprocessing import Pool
from pathlib import Path

from paths import ROOT, is_current, mark_current, stamp

from tokenizers import Tokenizer

FIXTURES = ROOT / "packages" / "data" / "test" / "fixtures" / "tokenizers.json"
OUT = ROOT / "test" / ".cache" / "broken-tokenizers"
COUNT = 5000
TEXTS = ["Hello, world! It's 1234 naïve ☕", "  two  spaces\n\nx", "<|end|>a [mask] b"]
VALUES = [None, True, False, 0, 1, -1, 1.5, 2**31, 2**32, 1e300, "", "a", "▁", "Ġ", " ", [], {}, [1], ["a"], [["a", "b"]], {"a": 1}, {"String": " "}, {"Regex": "("}, {"String": 1}, {"type": "BPE"}, {"type": "ByteLevel"}, {"type": "Fuse"}, "Isolated", "always"]  # fmt: skip
TYPES = ["BPE", "WordLevel", "Unigram", "ByteLevel", "Metaspace", "Split", "Digits", "Replace", "Strip", "Fuse", "ByteFallback", "NFC", "Prepend", "Sequence", "TemplateProcessing", "CTC"]


def paths(value, source: random.Random, path=()) -> list[tuple]:
    found = [path]
    keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    for key in keys if len(keys) < 40 else source.sample(keys, 3):
        found += paths(value[key], source, (*path, key))
    return found


def damaged(tokenizer: dict, source: random.Random) -> dict:
    copy = json.loads(json.dumps(tokenizer))
    for _ in range(source.choice([1, 1, 1, 2, 3])):
        all_paths = [path for path in paths(copy, source) if path]
        first = source.choice(sorted({path[0] for path in all_paths}))
        *parents, key = source.choice([path for path in all_paths if path[0] == first])
        parent = copy
        for step in parents:
            parent = parent[step]
        kind = source.random()
        if kind < 0.25:
            del parent[key]
        elif kind < 0.6:
            parent[key] = json.loads(json.dumps(source.choice(VALUES)))
        elif kind < 0.7 and isinstance(parent, dict):
            parent[source.choice([f"{key}x", key.upper(), "extra", "type"])] = parent.pop(key)
        elif kind < 0.8 and isinstance(parent, dict):
            parent["type"] = source.choice(TYPES)
        elif kind < 0.9 and isinstance(parent[key], int):
            parent[key] += source.choice([-1, 1, 1000, 0.5])
        elif isinstance(parent[key], str):
            parent[key] = source.choice([f"{parent[key]}x", parent[key][:-1], "", f"é{parent[key]}"])
    return copy


def judge(number: int) -> str:
    source = random.Random(f"broken {number}")
    families = json.loads(FIXTURES.read_text())["families"]
    tokenizer = damaged(families[source.choice(sorted(families))]["tokenizer"], source)
    case = {"tokenizer": tokenizer}
    try:
        loaded = Tokenizer.from_str(json.dumps(tokenizer))
        loaded.no_truncation()
        loaded.no_padding()
        case["ids"] = [loaded.encode(text).ids for text in TEXTS]
    except BaseException as error:  # noqa: BLE001  what panics in Rust is no Exception
        case["error"] = str(error)[:200]
    return json.dumps(case) + "\n"


def main() -> None:
    wanted = stamp(Path(__file__), FIXTURES)
    if is_current(OUT, wanted):
        print("broken tokenizers: up to date")
        return
    OUT.mkdir(parents=True, exist_ok=True)
    # In processes of their own: a few files end the process that reads them.
    with Pool(2, maxtasksperchild=200) as pool, (OUT / "cases.jsonl").open("w") as file:
        pending = [pool.apply_async(judge, (number,)) for number in range(COUNT)]
        for answer in pending:
            try:
                file.write(answer.get(timeout=60))
            except Exception:  # noqa: BLE001
                continue
    mark_current(OUT, wanted)


if __name__ == "__main__":
    main()
