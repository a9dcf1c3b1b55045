"""Judges GGUF files that we wrote, by gguf-py and the checkpoints that they were made of.

    .venv/bin/python test/parity/judge_gguf.py JOBS

JOBS is a JSON list of {"model", "files"}: a model of test/.models, and files of it by their type. Prints for each job
{TYPE: {"tensors", "keys", "faults"}}: how many tensors and keys were read and compared, and what was wrong with them.
"""

import json
import sys
from typing import Any, Iterator

from paths import MODELS  # isort: skip: it comes first

import gguf
import numpy as np
from safetensors.numpy import load_file
from transformers import AutoConfig, AutoTokenizer
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

ARCHITECTURES = {
    "llama": gguf.MODEL_ARCH.LLAMA,
    "mistral": gguf.MODEL_ARCH.LLAMA,
    "qwen2": gguf.MODEL_ARCH.QWEN2,
    "qwen3": gguf.MODEL_ARCH.QWEN3,
    "gpt2": gguf.MODEL_ARCH.GPT2,
}
FILE_TYPES = {"F32": 0, "F16": 1, "BF16": 32, "Q8_0": 7, "Q4_0": 2}


def key_names(group: type) -> Iterator[str]:
    for value in vars(group).values():
        if isinstance(value, str):
            yield value
        elif isinstance(value, type):
            yield from key_names(value)


def turn_heads(weights: np.ndarray, heads: int) -> np.ndarray:
    """llama.cpp rotates neighbouring numbers of a head, transformers those half a head apart."""
    halves = weights.reshape(heads, 2, weights.shape[0] // heads // 2, *weights.shape[1:])
    return halves.swapaxes(1, 2).reshape(weights.shape)


def expected_tensors(model: str, config: Any, architecture: gguf.MODEL_ARCH) -> dict[str, np.ndarray]:
    names = gguf.get_tensor_name_map(architecture, config.num_hidden_layers)
    tensors = {}
    for name, weights in load_file(MODELS / model / "model.safetensors").items():
        if architecture == gguf.MODEL_ARCH.LLAMA and "q_proj" in name:
            weights = turn_heads(weights, config.num_attention_heads)
        if architecture == gguf.MODEL_ARCH.LLAMA and "k_proj" in name:
            weights = turn_heads(weights, config.num_key_value_heads)
        # transformers keeps the matrices of GPT-2's layers turned.
        if architecture == gguf.MODEL_ARCH.GPT2 and ".h." in name and weights.ndim == 2:
            weights = weights.T
        tensors[names.get_name(name, try_suffixes=(".weight", ".bias"))] = np.ascontiguousarray(weights, np.float32)
    rope = getattr(config, "rope_parameters", None) or {}
    if rope.get("rope_type") == "llama3":
        size = config.hidden_size // config.num_attention_heads
        plain = 1.0 / rope["rope_theta"] ** (np.arange(0, size, 2) / size)
        scaled, _ = ROPE_INIT_FUNCTIONS["llama3"](config, "cpu")
        tensors["rope_freqs.weight"] = (plain / scaled.double().numpy()).astype(np.float32)
    return tensors


def expected_type(name: str, weights: np.ndarray, wanted: str) -> str:
    if weights.ndim < 2 or name == "position_embd.weight":
        return "F32"
    if wanted == "Q4_0" and name in ("token_embd.weight", "output.weight"):
        wanted = "Q8_0"
    return "F16" if wanted in ("Q8_0", "Q4_0") and weights.shape[-1] % 32 != 0 else wanted


def expected_keys(model: str, config: Any, architecture: str, wanted: str) -> dict[str, Any]:
    tokenizer = AutoTokenizer.from_pretrained(MODELS / model)
    tokens = tokenizer.convert_ids_to_tokens(list(range(config.vocab_size)))
    merges = json.loads((MODELS / model / "tokenizer.json").read_text())["model"]["merges"]
    sizes = {
        "vocab_size": config.vocab_size,
        "context_length": min(config.max_position_embeddings, getattr(config, "sliding_window", None) or np.inf),
        "embedding_length": config.hidden_size,
        "block_count": config.num_hidden_layers,
        "attention.head_count": config.num_attention_heads,
    }
    if architecture == "gpt2":
        sizes |= {"feed_forward_length": 4 * config.hidden_size}
        sizes |= {"attention.layer_norm_epsilon": config.layer_norm_epsilon}
    else:
        head_size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        sizes |= {f"attention.{part}_length": head_size for part in ("key", "value")}
        sizes |= {
            "feed_forward_length": config.intermediate_size,
            "attention.head_count_kv": config.num_key_value_heads,
            "attention.layer_norm_rms_epsilon": config.rms_norm_eps,
            "rope.dimension_count": head_size,
            "rope.freq_base": config.rope_parameters["rope_theta"],
        }
    return {
        "general.architecture": architecture,
        "general.type": "model",
        "general.file_type": FILE_TYPES[wanted],
        "general.quantization_version": gguf.GGML_QUANT_VERSION,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.tokens": [f"[PAD{i}]" if token is None else token for i, token in enumerate(tokens)],
        "tokenizer.ggml.merges": [pair if isinstance(pair, str) else " ".join(pair) for pair in merges],
        "tokenizer.ggml.eos_token_id": tokenizer.eos_token_id,
        **{f"{architecture}.{key}": value for key, value in sizes.items()},
    }


def judge(model: str, wanted: str, file: str) -> dict[str, Any]:
    config = AutoConfig.from_pretrained(MODELS / model)
    architecture = ARCHITECTURES[config.model_type]
    name = gguf.MODEL_ARCH_NAMES[architecture]
    faults = []

    def compare(what: str, ours: Any, theirs: Any) -> None:
        same = np.isclose(ours, theirs, rtol=1e-6, atol=0) if isinstance(theirs, float) else ours == theirs
        if not same:
            faults.append(f"{what}: {str(ours)[:200]} for {str(theirs)[:200]}")

    reader = gguf.GGUFReader(file)
    fields = {key: field.contents() for key, field in reader.fields.items() if not key.startswith("GGUF.")}
    known = {key.replace("{arch}", name) for key in key_names(gguf.Keys)}
    faults += [f"{key}: not a key of GGUF" for key in fields if key not in known]
    for key, value in expected_keys(model, config, name, wanted).items():
        compare(key, fields.get(key), value)

    expected = expected_tensors(model, config, architecture)
    compare("tensors", sorted(tensor.name for tensor in reader.tensors), sorted(expected))
    for tensor in reader.tensors:
        weights = expected[tensor.name]
        kind = expected_type(tensor.name, weights, wanted)
        compare(f"type of {tensor.name}", tensor.tensor_type.name, kind)
        compare(f"shape of {tensor.name}", [int(size) for size in tensor.shape[::-1]], list(weights.shape))
        if tensor.name == "rope_freqs.weight":
            if not np.allclose(tensor.data, weights, rtol=1e-6):
                faults.append(f"{tensor.name}: {tensor.data} for {weights}")
        elif tensor.data.tobytes() != gguf.quants.quantize(weights, tensor.tensor_type).tobytes():
            faults.append(f"{tensor.name}: other bytes of {tensor.tensor_type.name}")
    return {"tensors": len(reader.tensors), "keys": len(fields), "faults": faults}


verdicts = [{kind: judge(job["model"], kind, file) for kind, file in job["files"].items()} for job in json.loads(sys.argv[1])]
print(json.dumps(verdicts))
