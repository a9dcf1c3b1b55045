"""Trains the shipped base model's tokenizer on both texts and writes it to models/austen-base.

    .venv/bin/python examples/data/train_tokenizer.py        the environment that test/parity/setup.sh makes
"""

import gzip
import json
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

HERE = Path(__file__).resolve().parent
FOLDER = HERE.parents[1] / "models" / "austen-base"
TEXTS = ("austen.txt.gz", "kjv.txt.gz")
VOCAB_SIZE = 2048
END = "<|endoftext|>"


def main() -> None:
    texts = [gzip.decompress((HERE / name).read_bytes()).decode() for name in TEXTS]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE,
        special_tokens=[END],
        # All 256 bytes, so that there is no text without tokens.
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((line for text in texts for line in text.splitlines(keepends=True)), trainer)
    if tokenizer.get_vocab_size() != VOCAB_SIZE:
        raise ValueError(f"the vocabulary has {tokenizer.get_vocab_size()} tokens, expected {VOCAB_SIZE}")

    FOLDER.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(FOLDER / "tokenizer.json"))
    config = {
        "bos_token": END,
        "clean_up_tokenization_spaces": False,
        "eos_token": END,
        "model_max_length": 1024,
        "pad_token": END,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    (FOLDER / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")

    for name, text in zip(TEXTS, texts, strict=True):
        ids = tokenizer.encode(text).ids
        if tokenizer.decode(ids) != text:
            raise ValueError(f"{name} does not survive encoding and decoding")
        print(f"{name}: {len(ids)} tokens, {len(text.encode()) / len(ids):.2f} bytes a token")


if __name__ == "__main__":
    main()
