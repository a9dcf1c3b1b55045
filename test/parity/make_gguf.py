"""Makes packages/models/test/fixtures/gguf: small GGUF files as gguf-py writes them, and what they hold.

    .venv/bin/python test/parity/make_gguf.py        (after setup.sh)

- types/<type>.gguf: two rows of blocks of random bytes, scales among them that are negative, zero, subnormal and infinite;
  types.safetensors: what gguf-py dequantises them to, by type.
- <architecture>.gguf: the model of the same name beside the folder, converted as llama.cpp's conversion does it: gguf-py's
  names, rows of queries and keys in pairs where it turns pairs and transformers does not, GPT-2's matrices transposed.
- quantised.gguf: a Llama of mixed types with a tokenizer; quantised.safetensors: its weights, and quantised.json logits, as
  transformers reads it.

Seeds are fixed; never edit the files by hand.
"""

import json
import shutil
from importlib.metadata import version
from math import pi

from paths import ROOT

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type
from gguf import GGUFWriter
from safetensors.numpy import save_file
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

MODELS = ROOT / "packages" / "models" / "test" / "fixtures"
FOLDER = MODELS / "gguf"
TOKENIZERS = ROOT / "packages" / "data" / "test" / "fixtures" / "tokenizers.json"

TYPES = [Type.F32, Type.F16, Type.BF16, Type.Q8_0, Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1, Type.Q4_K, Type.Q5_K, Type.Q6_K]
# Where the F16 scales of a block lie in it.
SCALES = {
    Type.Q8_0: [0], Type.Q4_0: [0], Type.Q5_0: [0], Type.Q4_1: [0, 2], Type.Q5_1: [0, 2],
    Type.Q4_K: [0, 2], Type.Q5_K: [0, 2], Type.Q6_K: [208],
}  # fmt: skip
ODD = [-0.25, 0.0, 5.96e-8, -6e-6, 65504.0, float("inf")]
LLAMA3 = {"factor": 8.0, "low": 1.0, "high": 4.0, "original": 8192, "theta": 500000.0}


# What llama.cpp calls an architecture, where it has a name of its own.
KINDS = {"gemma3_text": "gemma3", "ministral3": "mistral3", "olmo3": "olmo2"}


def write(path, architecture: str, metadata, tensors: dict) -> None:
    """`tensors`: arrays, or arrays of blocks with their types."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = GGUFWriter(path, architecture)
    metadata(writer)
    for name, tensor in tensors.items():
        data, kind = tensor if isinstance(tensor, tuple) else (tensor, None)
        writer.add_tensor(name, np.ascontiguousarray(data), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def types() -> None:
    expected = {}
    for kind in TYPES:
        blocks = random_blocks(kind)
        write(FOLDER / "types" / f"{kind.name}.gguf", "llama", lambda writer: None, {"blocks": (blocks, kind)})
        expected[kind.name] = np.ascontiguousarray(gguf.dequantize(blocks, kind), dtype=np.float32)
    save_file(expected, FOLDER / "types.safetensors")


def random_blocks(kind: Type) -> np.ndarray:
    """Two rows: floats and odd values, or blocks as bytes."""
    source = np.random.default_rng(int(kind))
    size, width = gguf.GGML_QUANT_SIZES[kind]
    if size == 1:
        values = source.standard_normal((2, 21)).astype(np.float32)
        values[1, :9] = [*ODD, -0.0, -np.inf, 1e-41]
        return gguf.quantize(values, kind)
    blocks = source.integers(0, 256, (2, 8, width), dtype=np.uint8)
    for offset in SCALES[kind]:
        scales = source.standard_normal((2, 8)).astype(np.float16)
        scales[1, : len(ODD)] = source.permutation(ODD).astype(np.float16)
        blocks[:, :, offset : offset + 2] = scales[..., None].view(np.uint8)
    return blocks.reshape(2, -1)


def permute(weights: np.ndarray, heads: int) -> np.ndarray:
    """As llama.cpp's conversion: in each head, rows of the second half go between those of the first."""
    return weights.reshape(heads, 2, weights.shape[0] // heads // 2, *weights.shape[1:]).swapaxes(1, 2).reshape(weights.shape)


def converted(name: str, kind: Type, rotates_pairs: bool) -> tuple[dict, dict]:
    """The configuration and the tensors of a fixture, under gguf-py's names and with floats of a type."""
    config = json.loads((MODELS / name / "config.json").read_text())
    layers = config.get("num_hidden_layers", config.get("n_layer"))
    architecture = next(key for key, value in gguf.MODEL_ARCH_NAMES.items() if value == KINDS.get(config["model_type"], config["model_type"]))
    names = gguf.get_tensor_name_map(architecture, layers)
    tensors = {}
    for key, tensor in load_file(MODELS / name / "model.safetensors").items():
        data = tensor.float().numpy()
        if rotates_pairs and ".q_proj." in key:
            data = permute(data, config["num_attention_heads"])
        if rotates_pairs and ".k_proj." in key:
            data = permute(data, config["num_key_value_heads"])
        if name.startswith("gemma") and key.endswith("norm.weight"):
            data = data + np.float32(1)
        if name == "gpt2" and key.endswith((".c_attn.weight", ".c_proj.weight", ".c_fc.weight")):
            data = data.T
        # Vectors stay F32, as in llama.cpp's conversion.
        kept = Type.F32 if data.ndim == 1 else kind
        data = np.ascontiguousarray(data)
        tensors[names.get_name(key, try_suffixes=(".weight", ".bias"))] = (gguf.quantize(data, kept), kept)
    return config, tensors


def add_config(writer: GGUFWriter, config: dict) -> None:
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    if "rms_norm_eps" in config:
        writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    rope = config["rope_parameters"]
    rope = rope.get("full_attention", rope)
    if config["model_type"] != "gemma2":
        writer.add_rope_freq_base(rope["rope_theta"])
    if rope["rope_type"] == "yarn":
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        writer.add_rope_scaling_factor(rope["factor"])
        writer.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
    if config["model_type"] in OWN_KEYS:
        OWN_KEYS[config["model_type"]](writer, config, rope)
    if rope["rope_type"] == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(rope["factor"])
    size = config.get("head_dim", config["hidden_size"] // config["num_attention_heads"])
    if config["model_type"] in ("llama", "smollm3", "granite", "ministral3"):
        writer.add_vocab_size(config["vocab_size"])
        writer.add_rope_dimension_count(size)
    if "head_dim" in config and config["model_type"] != "cohere2":
        writer.add_key_length(size)
        writer.add_value_length(size)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def gemma2(writer: GGUFWriter, config: dict, rope: dict) -> None:
    writer.add_attn_logit_softcapping(config["attn_logit_softcapping"])
    writer.add_final_logit_softcapping(config["final_logit_softcapping"])
    writer.add_sliding_window(config["sliding_window"])


def gemma3(writer: GGUFWriter, config: dict, rope: dict) -> None:
    writer.add_final_logit_softcapping(config["final_logit_softcapping"])
    writer.add_sliding_window(config["sliding_window"])
    writer.add_sliding_window_pattern([kind == "sliding_attention" for kind in config["layer_types"]])
    writer.add_rope_freq_base_swa(config["rope_parameters"]["sliding_attention"]["rope_theta"])


def phi3(writer: GGUFWriter, config: dict, rope: dict) -> None:
    writer.add_rope_dimension_count(config["hidden_size"] // config["num_attention_heads"])
    writer.add_sliding_window(config["sliding_window"] or 0)
    writer.add_rope_scaling_orig_ctx_len(config["original_max_position_embeddings"])
    writer.add_rope_scaling_attn_factors(PHI3["attention_factor"])


def granite(writer: GGUFWriter, config: dict, rope: dict) -> None:
    writer.add_attention_scale(config["attention_multiplier"])
    writer.add_embedding_scale(config["embedding_multiplier"])
    writer.add_residual_scale(config["residual_multiplier"])
    writer.add_logit_scale(config["logits_scaling"])


def olmo3(writer: GGUFWriter, config: dict, rope: dict) -> None:
    writer.add_rope_scaling_attn_factors(OLMO3_FACTOR)
    windows(writer, config, rope)


def windows(writer: GGUFWriter, config: dict, rope: dict) -> None:
    writer.add_sliding_window(config["sliding_window"])
    writer.add_sliding_window_pattern([kind == "sliding_attention" for kind in config["layer_types"]])


def ministral3(writer: GGUFWriter, config: dict, rope: dict) -> None:
    writer.add_rope_scaling_yarn_log_mul(rope["mscale_all_dim"])
    writer.add_attn_temperature_scale(rope["llama_4_scaling_beta"])


def cohere2(writer: GGUFWriter, config: dict, rope: dict) -> None:
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_logit_scale(config["logit_scale"])
    writer.add_sliding_window(config["sliding_window"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_rope_dimension_count(config["hidden_size"] // config["num_attention_heads"])
    writer.add_rope_scaling_type(gguf.RopeScalingType.NONE)


def glm4(writer: GGUFWriter, config: dict, rope: dict) -> None:
    writer.add_rope_dimension_count(int(config["head_dim"] * rope["partial_rotary_factor"]))


def starcoder2(writer: GGUFWriter, config: dict, rope: dict) -> None:
    writer.add_layer_norm_eps(config["norm_epsilon"])


def stablelm(writer: GGUFWriter, config: dict, rope: dict) -> None:
    size = config["hidden_size"] // config["num_attention_heads"]
    writer.add_rope_dimension_count(int(size * rope["partial_rotary_factor"]))
    writer.add_parallel_residual(True)  # llama.cpp writes so of all, and goes by whether there is a second norm
    writer.add_layer_norm_eps(config["layer_norm_eps"])


# As llama.cpp's conversion of each, besides what it writes of all.
OWN_KEYS = {
    "gemma2": gemma2, "gemma3_text": gemma3, "phi3": phi3, "granite": granite, "olmo3": olmo3, "ministral3": ministral3,
    "cohere2": cohere2, "glm4": glm4, "exaone4": windows, "starcoder2": starcoder2, "stablelm": stablelm,
}  # fmt: skip
PHI3 = {"short": [1.0, 1.25], "long": [1.5, 4.0], "attention_factor": 1.25}
OLMO3_FACTOR = 1.125


def add_gpt2(writer: GGUFWriter, config: dict) -> None:
    writer.add_block_count(config["n_layer"])
    writer.add_context_length(config["n_positions"])
    writer.add_embedding_length(config["n_embd"])
    writer.add_feed_forward_length(4 * config["n_embd"])
    writer.add_head_count(config["n_head"])
    writer.add_layer_norm_eps(config["layer_norm_epsilon"])


def rope_factors(size: int) -> np.ndarray:
    """As llama.cpp's conversion of Llama 3.1."""
    p = LLAMA3
    factors = []
    for frequency in 1.0 / (p["theta"] ** (torch.arange(0, size, 2, dtype=torch.float32) / size)):
        wavelength = 2 * pi / frequency
        if wavelength < p["original"] / p["high"]:
            factors.append(1)
        elif wavelength > p["original"] / p["low"]:
            factors.append(p["factor"])
        else:
            smooth = (p["original"] / wavelength - p["low"]) / (p["high"] - p["low"])
            factors.append(1 / ((1 - smooth) / p["factor"] + smooth))
    return np.array(factors, dtype=np.float32)


def models() -> None:
    for name, kind, rotates_pairs in [
        ("llama", Type.BF16, True), ("llama3", Type.F16, True), ("smollm3", Type.BF16, True),
        ("qwen2", Type.BF16, False), ("qwen3", Type.F32, False), ("gpt2", Type.F32, False),
        ("gemma2", Type.BF16, False), ("gemma3_text", Type.F16, False), ("phi3", Type.BF16, False), ("granite", Type.BF16, True),
        ("olmo2", Type.F16, False), ("olmo3", Type.F32, False), ("ministral3", Type.BF16, True), ("cohere2", Type.BF16, False),
        ("glm4", Type.BF16, False), ("exaone4", Type.F32, False), ("starcoder2", Type.F16, False), ("stablelm", Type.BF16, False),
    ]:  # fmt: skip
        config, tensors = converted(name, kind, rotates_pairs)
        add = add_gpt2 if name == "gpt2" else add_config
        if name == "llama":
            config["rope_parameters"] = {"rope_type": "linear", "factor": 3.0, "rope_theta": 1000.0}
        if name == "llama3":
            config["rope_parameters"] = {"rope_type": "default", "rope_theta": LLAMA3["theta"]}
            tensors["rope_freqs.weight"] = rope_factors(config["head_dim"])
        if name == "phi3":
            tensors |= {f"rope_factors_{key}.weight": np.array(PHI3[key], dtype=np.float32) for key in ("short", "long")}
        kind = KINDS.get(config["model_type"], config["model_type"])
        write(FOLDER / f"{name}.gguf", kind, lambda writer: add(writer, config), tensors)


def quantised() -> None:
    tokenizer = json.loads(TOKENIZERS.read_text())["families"]["smollm"]["tokenizer"]
    ids = dict(tokenizer["model"]["vocab"]) | {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    special = {token["content"]: token["special"] for token in tokenizer["added_tokens"]}
    tokens = sorted(ids, key=ids.get)
    config = {
        "model_type": "llama", "vocab_size": len(tokens), "max_position_embeddings": 128, "hidden_size": 32,
        "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "rms_norm_eps": 1e-5, "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
    }  # fmt: skip
    source = np.random.default_rng(17)

    def normal(*shape: int) -> np.ndarray:
        return source.standard_normal(shape).astype(np.float32)

    tensors = {"token_embd.weight": (0.6 * normal(len(tokens), 32), Type.Q8_0), "output_norm.weight": 1 + 0.3 * normal(32)}
    for layer in range(2):
        widths = {
            "attn_q": (32, 32, Type.Q4_0), "attn_k": (16, 32, Type.Q4_1), "attn_v": (16, 32, Type.Q5_0),
            "attn_output": (32, 32, Type.Q5_1), "ffn_gate": (64, 32, Type.Q8_0), "ffn_up": (64, 32, Type.F16),
            "ffn_down": (32, 64, Type.Q4_0),
        }  # fmt: skip
        for name, (rows, columns, kind) in widths.items():
            tensors[f"blk.{layer}.{name}.weight"] = (0.35 * normal(rows, columns), kind)
        for name in ("attn_norm", "ffn_norm"):
            tensors[f"blk.{layer}.{name}.weight"] = 1 + 0.3 * normal(32)
    stored = {name: (gguf.quantize(t[0], t[1]), t[1]) if isinstance(t, tuple) else t for name, t in tensors.items()}

    def metadata(writer: GGUFWriter) -> None:
        writer.add_name("quantised")
        add_config(writer, config)
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre("smollm")
        writer.add_token_list(tokens)
        kinds = {None: gguf.TokenType.NORMAL, True: gguf.TokenType.CONTROL, False: gguf.TokenType.USER_DEFINED}
        writer.add_token_types([kinds[special.get(token)] for token in tokens])
        writer.add_token_merges([" ".join(merge) for merge in tokenizer["model"]["merges"]])
        writer.add_bos_token_id(ids["<s>"])
        writer.add_eos_token_id(ids["<|end|>"])
        writer.add_add_bos_token(True)
        writer.add_chat_template("{% for message in messages %}{{ message.content }}<|end|>{% endfor %}")

    path = FOLDER / "quantised.gguf"
    write(path, "llama", metadata, stored)

    model = AutoModelForCausalLM.from_pretrained(FOLDER, gguf_file=path.name, dtype=torch.float32).eval()
    weights = {name: tensor.numpy() for name, tensor in model.state_dict().items() if name != "lm_head.weight"}
    save_file(weights, FOLDER / "quantised.safetensors")
    prompt = [[5, 300, 17, 2, 44, 8, 91, 120]]
    with torch.no_grad():
        logits = model(torch.tensor(prompt)).logits
    versions = {library: version(library) for library in ("torch", "transformers", "gguf")}
    golden = {"versions": versions, "inputIds": prompt, "logits": [[round(value, 5) for value in row] for row in logits[0].tolist()]}
    (FOLDER / "quantised.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")


def main() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    types()
    models()
    quantised()
    size = sum(file.stat().st_size for file in FOLDER.rglob("*.*"))
    print(f"{FOLDER.relative_to(ROOT)}: {size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
