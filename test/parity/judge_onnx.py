"""Judges folders for transformers.js that we wrote, by ONNX's checker, ONNX Runtime, transformers and PEFT.

    .venv/bin/python test/parity/judge_onnx.py JOBS

JOBS is a JSON list of {"base", "adapter"?, "exported", "types", "prompts", "length"}: a model of test/.models, an adapter that PEFT
puts on it, and the folder to judge. Prints for each job {TYPE: {"whole", "cached", "largest", "tokens", "expected"}}: how far the
logits are from those of torch, in one pass and in two through the cache; the largest of those of torch; and the greedy tokens behind
the first prompt, ours and those of torch.
"""

import json
import sys
from pathlib import Path
from typing import Any

from paths import MODELS  # isort: skip: it comes first

import numpy as np
import onnx
import onnxruntime
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

SUFFIXES = {"fp32": "", "fp16": "_fp16", "q8": "_quantized", "q4": "_q4"}


class Decoder:
    """An exported file in ONNX Runtime."""

    def __init__(self, file: Path) -> None:
        onnx.checker.check_model(file, full_check=True)
        self.session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        self.past = [given for given in self.session.get_inputs() if given.name.startswith("past_key_values.")]

    def empty_cache(self) -> dict[str, np.ndarray]:
        return {
            given.name: np.zeros([size if isinstance(size, int) else (1 if i == 0 else 0) for i, size in enumerate(given.shape)], np.float32)
            for given in self.past
        }

    def run(self, tokens: list[int], cache: dict[str, np.ndarray]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        start = next(iter(cache.values())).shape[2]
        feeds = {
            "input_ids": np.array([tokens], np.int64),
            "attention_mask": np.ones((1, start + len(tokens)), np.int64),
            "position_ids": np.arange(start, start + len(tokens), dtype=np.int64)[None],
        }
        given = {name.name for name in self.session.get_inputs()}
        assert given == {*feeds, *cache}, given
        names = [output.name for output in self.session.get_outputs()]
        results = dict(zip(names, self.session.run(names, {**feeds, **cache})))
        logits = results.pop("logits")[0]
        return logits, {name.replace("present", "past_key_values"): value for name, value in results.items()}


def judge(decoder: Decoder, model: Any, prompts: list[list[int]], length: int) -> dict[str, Any]:
    found = {"whole": 0.0, "cached": 0.0, "largest": 0.0}
    for prompt in prompts:
        with torch.no_grad():
            expected = model(torch.tensor([prompt])).logits[0].numpy()
        half = len(prompt) // 2
        whole, _ = decoder.run(prompt, decoder.empty_cache())
        front, cache = decoder.run(prompt[:half], decoder.empty_cache())
        rest, _ = decoder.run(prompt[half:], cache)
        numbers = {"whole": whole - expected, "cached": np.concatenate([front, rest]) - expected, "largest": expected}
        found = {name: max(found[name], float(np.abs(values).max())) for name, values in numbers.items()}
    settings = {"max_new_tokens": length, "min_new_tokens": length, "do_sample": False, "pad_token_id": 0}
    first = torch.tensor([prompts[0]])
    with torch.no_grad():
        theirs = model.generate(input_ids=first, attention_mask=torch.ones_like(first), **settings)
    tokens: list[int] = []
    logits, cache = decoder.run(prompts[0], decoder.empty_cache())
    while len(tokens) < length:
        # As `min_new_tokens` has it, the text does not end before.
        last = logits[-1].copy()
        last[np.atleast_1d(model.generation_config.eos_token_id).astype(int)] = -np.inf
        tokens.append(int(last.argmax()))
        logits, cache = decoder.run(tokens[-1:], cache)
    return {**found, "tokens": tokens, "expected": theirs[0, len(prompts[0]) :].tolist()}


verdicts = []
for job in json.loads(sys.argv[1]):
    model = AutoModelForCausalLM.from_pretrained(MODELS / job["base"], dtype=torch.float32).eval()
    if "adapter" in job:
        model = PeftModel.from_pretrained(model, job["adapter"]).eval()
    folder = Path(job["exported"]) / "onnx"
    decoders = {kind: Decoder(folder / f"model{SUFFIXES[kind]}.onnx") for kind in job["types"]}
    verdicts.append({kind: judge(decoder, model, job["prompts"], job["length"]) for kind, decoder in decoders.items()})
print(json.dumps(verdicts))
