"""Makes test/.models/tiny-*: a tiny random model of every supported architecture, as transformers saves it.

Weights are wide enough that logits spread over several units, norms and biases are not left at one and zero, and each
model turns on what sets its architecture apart. Seeds are fixed. Does nothing when the folders are up to date.
"""

import json
import shutil
from pathlib import Path

from paths import HERE, MODELS, is_current, mark_current, stamp

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

VOCAB = 320
SHARED = {"vocab_size": VOCAB, "max_position_embeddings": 256, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}

LLAMA3_SCALING = {
    # With 8 frequencies per head these bounds leave one unscaled, blend one and stretch the others.
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}

TINY = {
    "tiny-llama2": (
        LlamaForCausalLM,
        LlamaConfig(
            **SHARED, hidden_size=48, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4,
            num_key_value_heads=4, tie_word_embeddings=False, rms_norm_eps=1e-6,
        ),
    ),
    "tiny-llama3": (
        LlamaForCausalLM,
        LlamaConfig(
            **SHARED, hidden_size=64, intermediate_size=112, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, tie_word_embeddings=True, rms_norm_eps=1e-5,
            rope_parameters={**LLAMA3_SCALING, "rope_theta": 500000.0},
        ),
    ),
    "tiny-mistral": (
        MistralForCausalLM,
        MistralConfig(
            **SHARED, hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4,
            num_key_value_heads=2, tie_word_embeddings=False, rms_norm_eps=1e-5, sliding_window=8,
        ),
    ),
    "tiny-qwen2": (
        Qwen2ForCausalLM,
        Qwen2Config(
            **SHARED, hidden_size=48, intermediate_size=80, num_hidden_layers=2, num_attention_heads=6,
            num_key_value_heads=2, tie_word_embeddings=True, rms_norm_eps=1e-6, use_sliding_window=False,
            rope_parameters={"rope_type": "default", "rope_theta": 1000000.0},
        ),
    ),
    "tiny-qwen3": (
        Qwen3ForCausalLM,
        Qwen3Config(
            **SHARED, hidden_size=40, intermediate_size=80, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, head_dim=16, tie_word_embeddings=True, rms_norm_eps=1e-6,
            rope_parameters={"rope_type": "default", "rope_theta": 1000000.0},
        ),
    ),
    "tiny-smollm": (
        LlamaForCausalLM,
        LlamaConfig(
            **SHARED, hidden_size=48, intermediate_size=128, num_hidden_layers=3, num_attention_heads=6,
            num_key_value_heads=2, tie_word_embeddings=True, rms_norm_eps=1e-5,
            rope_parameters={"rope_type": "default", "rope_theta": 100000.0},
        ),
    ),
    "tiny-gpt2": (
        GPT2LMHeadModel,
        GPT2Config(
            vocab_size=VOCAB, n_positions=128, n_embd=48, n_layer=3, n_head=4, bos_token_id=0, eos_token_id=0,
            resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
        ),
    ),
    "tiny-pythia": (
        GPTNeoXForCausalLM,
        GPTNeoXConfig(
            **SHARED, hidden_size=48, intermediate_size=96, num_hidden_layers=3, num_attention_heads=3,
            rope_parameters={"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.25},
        ),
    ),
}

TEXT = (
    "the quick brown fox jumps over the lazy dog and then the dog thinks about the other fox that was there before "
    "it is a truth that this and that are not the same thing when there is something else in the world "
)


def main() -> None:
    wanted = stamp(HERE / "make_tiny_models.py")
    if is_current(MODELS / "tiny-llama2", wanted):
        print("tiny models: up to date")
        return
    for old in MODELS.glob("tiny-*"):
        shutil.rmtree(old)

    tokenizer = make_tokenizer()
    for seed, (name, (model_class, config)) in enumerate(TINY.items()):
        save(random_model(model_class, config, seed), MODELS / name, tokenizer)

    write_as_before_version_5(MODELS / "tiny-llama3")
    write_as_before_version_5(MODELS / "tiny-qwen2")
    llama3 = AutoModelForCausalLM.from_pretrained(MODELS / "tiny-llama3", dtype=torch.float32)
    save(llama3, MODELS / "tiny-llama3-sharded", tokenizer, max_shard_size="100KB")
    save(llama3.to(torch.bfloat16), MODELS / "tiny-llama3-bf16", tokenizer)
    llama3 = AutoModelForCausalLM.from_pretrained(MODELS / "tiny-llama3", dtype=torch.float32)
    save(llama3.to(torch.float16), MODELS / "tiny-llama3-f16", tokenizer)
    write_as_original_gpt2(MODELS / "tiny-gpt2", MODELS / "tiny-gpt2-original")
    write_as_original_pythia(MODELS / "tiny-pythia")

    for folder in sorted(MODELS.glob("tiny-*")):
        print(describe(folder))
    # The stamp goes into the folder that is looked at first, and last of all.
    mark_current(MODELS / "tiny-llama2", wanted)


def random_model(model_class, config, seed: int):
    torch.manual_seed(seed)
    model = model_class(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn_like(parameter)
            if name.endswith("norm.weight") or ".ln_" in name and name.endswith(".weight"):
                parameter.copy_(1 + 0.2 * noise)
            elif name.endswith("bias"):
                parameter.copy_(0.2 * noise)
            elif "embed" in name or "wte" in name or "wpe" in name:
                parameter.copy_(0.4 * noise)
            else:
                parameter.copy_(0.25 * noise)
    return model.eval()


def save(model, folder: Path, tokenizer, **options) -> None:
    model.save_pretrained(folder, **options)
    tokenizer.save_pretrained(folder)


def make_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE as small as can be (256 bytes, 63 merges, one special token), so that text goes in and out."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        min_frequency=1,
        show_progress=False,
    )
    tokenizer.train_from_iterator([TEXT], trainer)
    assert tokenizer.get_vocab_size() == VOCAB
    end = "<|endoftext|>"
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=end, eos_token=end, pad_token=end)


def write_as_before_version_5(folder: Path) -> None:
    """Rewrites a config to the spelling of transformers 4, which nearly every checkpoint on the hub has."""
    before = AutoModelForCausalLM.from_pretrained(folder).config.rope_parameters
    file = folder / "config.json"
    config = json.loads(file.read_text())
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope.pop("rope_theta")
    config["rope_scaling"] = None if rope["rope_type"] == "default" else rope
    config["torch_dtype"] = config.pop("dtype")
    config["transformers_version"] = "4.45.0"
    config.pop("layer_types", None)
    config = dict(sorted(config.items()))
    file.write_text(json.dumps(config, indent=2) + "\n")
    after = AutoModelForCausalLM.from_pretrained(folder).config.rope_parameters
    assert after == before, (before, after)


def write_as_original_pythia(folder: Path) -> None:
    """Rewrites a config to the names that GPT-NeoX's own checkpoints have."""
    before = AutoModelForCausalLM.from_pretrained(folder).config.rope_parameters
    file = folder / "config.json"
    config = json.loads(file.read_text())
    rope = config.pop("rope_parameters")
    config |= {"rotary_emb_base": int(rope["rope_theta"]), "rotary_pct": rope["partial_rotary_factor"]}
    file.write_text(json.dumps(dict(sorted(config.items())), indent=2) + "\n")
    after = AutoModelForCausalLM.from_pretrained(folder).config.rope_parameters
    assert after == before, (before, after)


def write_as_original_gpt2(source: Path, folder: Path) -> None:
    """GPT-2's own checkpoint: names without 'transformer.', and the causal masks stored as if they were weights."""
    shutil.copytree(source, folder)
    (folder / "model.safetensors").unlink()
    size = json.loads((source / "config.json").read_text())["n_positions"]
    mask = torch.tril(torch.ones(size, size)).view(1, 1, size, size)
    tensors = {
        name.removeprefix("transformer."): tensor
        for name, tensor in load_file(source / "model.safetensors").items()
        if name != "lm_head.weight"
    }
    layers = {name.split(".")[1] for name in tensors if name.startswith("h.")}
    tensors |= {f"h.{layer}.attn.bias": mask.clone() for layer in layers}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    a, b = (AutoModelForCausalLM.from_pretrained(path) for path in (source, folder))
    tokens = torch.arange(10)[None]
    with torch.no_grad():
        assert torch.equal(a(tokens).logits, b(tokens).logits)


def describe(folder: Path) -> str:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    torch.manual_seed(0)
    with torch.no_grad():
        logits = model(torch.randint(1, VOCAB, (2, 32))).logits
    files = sorted(file.name for file in folder.glob("*.safetensors"))
    count = sum(parameter.numel() for parameter in model.parameters())
    assert logits.isfinite().all() and 0.5 < logits.std() < 20
    return f"{folder.name}: {count} parameters, logits of std {logits.std():.2f}, {len(files)} file(s)"


if __name__ == "__main__":
    main()
