"""Many adapters of PEFT, each of options that are rarely seen together, with the logits of PEFT.

    python adapter_cases.py           every model of MODELS_WITH_ADAPTERS that is not up to date

Writes test/.cache/adapters/<model>/reference.json and beside it, for every case, an adapter folder. Logits are those of
the saved adapter as PEFT loads it again, in float32. Options are drawn with a fixed seed; what PEFT itself refuses is
left out.
"""

import itertools
import json
import random
import shutil
import sys
import warnings
from pathlib import Path

from paths import HERE, MODELS, ROOT, is_current, mark_current, stamp, versions

import torch

warnings.filterwarnings("ignore")

from peft import (
    AdaptionPromptConfig,
    IA3Config,
    LoraConfig,
    PeftModel,
    PrefixTuningConfig,
    PromptEncoderConfig,
    PromptTuningConfig,
    get_peft_model,
)
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

ADAPTERS = ROOT / "test" / ".cache" / "adapters"
DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "F64": torch.float64}
TOKENS = [[3, 17, 250, 29, 11, 5, 7], [2, 2, 30, 8, 19, 9, 100]]

# Of GPT-NeoX, transformers names the head otherwise in the model than in its files; it is left alone here.
# By model: layers of attention and MLP, embedding, head, and what modules_to_save may name besides.
MODELS_WITH_ADAPTERS: dict[str, dict] = {
    "tiny-llama2": dict(
        linear=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
        embedding="embed_tokens", head="lm_head", saved=["model.norm", "mlp", "layers.1.input_layernorm", "self_attn"],
        inputs=["o_proj", "down_proj"], random=44, layers="layers",
    ),
    "tiny-llama3": dict(
        linear=["q_proj", "v_proj", "o_proj", "gate_proj", "down_proj"],
        embedding="embed_tokens", head="lm_head", saved=["norm", "layers.0.mlp"], inputs=["down_proj"], random=36, layers="layers",
    ),
    "tiny-qwen2": dict(
        linear=["q_proj", "k_proj", "v_proj", "o_proj", "down_proj"],
        embedding="embed_tokens", head="lm_head", saved=["norm", "self_attn"], inputs=["down_proj", "v_proj"], random=40, layers="layers",
    ),
    "tiny-gpt2": dict(
        linear=["c_attn", "attn.c_proj", "mlp.c_proj", "c_fc"],
        embedding="wte", head="lm_head", saved=["ln_f", "mlp", "h.1.ln_1", "wpe"], inputs=["mlp.c_proj"], random=44, layers="h",
    ),
    "tiny-pythia": dict(
        linear=["query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h"],
        embedding="embed_in", head=None, saved=["final_layer_norm", "layers.1.mlp"], inputs=["dense_4h_to_h"], random=36,
        layers="layers",
    ),
}  # fmt: skip


def lora_options(draw: random.Random, about: dict) -> dict:
    """Options of LoRA at random: each is left alone more often than not."""
    linear, embedding, head = about["linear"], about["embedding"], about["head"]
    ends = [name for name in (embedding, head) if name]
    often = lambda share: draw.random() < share  # noqa: E731
    some = lambda values: draw.sample(values, draw.randint(1, len(values)))  # noqa: E731
    targets: list[str] | str = some(linear)
    kind = draw.random()
    if kind < 0.12:
        targets = "all-linear"
    elif kind < 0.24:
        targets = rf".*\.({'|'.join(name.replace('.', chr(92) + '.') for name in targets)})"
    elif kind < 0.5:
        targets = [*targets, *some(ends)]
    options: dict = dict(
        r=draw.choice([1, 2, 4, 7]), lora_alpha=draw.choice([1, 5, 8, 2.5]), target_modules=targets, lora_dropout=0.1,
        use_rslora=often(0.3), use_dora=often(0.3), bias=draw.choice(["none", "none", "all", "lora_only"]),
    )  # fmt: skip
    if not options["use_dora"] and often(0.25):
        options["lora_bias"] = True
    if often(0.3):
        options["rank_pattern"] = {draw.choice([*linear, rf"1\..*{linear[0]}", rf".*\.0\..*\.{linear[-1]}"]): draw.choice([1, 3, 5])}
    if often(0.3):
        options["alpha_pattern"] = {name: draw.choice([1, 9, 0.5]) for name in some(linear)}
    if often(0.3):
        options["exclude_modules"] = draw.choice([some(linear), rf".*\.0\..*{linear[0]}", ["lm_head"]])
    if isinstance(targets, list) and often(0.25):
        options["layers_to_transform"] = draw.choice([0, [1], [0, 1]])
        if often(0.5):
            options["layers_pattern"] = draw.choice([about["layers"], [about["layers"]]])
    if often(0.4):
        options["modules_to_save"] = some([*ends, *about["saved"]])
    if often(0.2):
        options["trainable_token_indices"] = draw.choice([[7, 250, 3], {embedding: [7, 3]}, {name: [9, 3] for name in ends}])
    if often(0.2):
        options["ensure_weight_tying"] = True
    if often(0.15):
        options["fan_in_fan_out"] = True
    options["init_lora_weights"] = draw.choice([True, False, "gaussian", True, False, "pissa", "olora"])
    return options


def lora_cases(name: str, about: dict) -> list[tuple[str, type, dict]]:
    draw = random.Random(name)
    linear, embedding, head = about["linear"], about["embedding"], about["head"]
    fixed = [
        dict(target_modules=linear[:1], bias="all", modules_to_save=["norm" if "llama" in name or "qwen" in name else about["saved"][0]]),
        dict(target_modules=linear[:2], bias="lora_only"),
        dict(target_modules=[embedding], bias="lora_only"),
        dict(target_modules=[head, linear[0]], bias="lora_only"),
        dict(target_modules=linear[:1], bias="all", modules_to_save=[about["saved"][1]]),
        dict(target_modules=linear[:1], bias="all", modules_to_save=[head]),
        dict(target_modules=[embedding, head, *linear[:1]], bias="all", use_dora=True),
        dict(target_modules=[linear[-1]], exclude_modules=rf".*\.1\..*", use_rslora=True, lora_alpha=2.5),
    ]
    fixed = [options for options in fixed if None not in [*options["target_modules"], *options.get("modules_to_save", [])]]
    drawn = [lora_options(draw, about) for _ in range(about["random"])]
    return [(f"lora-{i}", LoraConfig, options) for i, options in enumerate([*fixed, *drawn])]


def other_cases(name: str, about: dict) -> list[tuple[str, type, dict]]:
    linear, embedding, head, inputs = about["linear"], about["embedding"], about["head"], about["inputs"]
    ia3 = [
        {},
        dict(target_modules=[head], feedforward_modules=[]),
        dict(target_modules=[head], feedforward_modules=[head]),
        dict(target_modules=[*linear, head], feedforward_modules=inputs),
        dict(target_modules=linear[:1], feedforward_modules=[], modules_to_save=[head]),
        dict(target_modules=linear[:2], feedforward_modules=[], exclude_modules=linear[:1]),
        dict(target_modules=rf".*\.({linear[0]}|{linear[-1].split('.')[-1]})", feedforward_modules=rf".*\.{linear[-1].split('.')[-1]}"),
        dict(target_modules=linear, feedforward_modules=linear, fan_in_fan_out=True, init_ia3_weights=False),
    ]  # fmt: skip
    sizes = dict(num_virtual_tokens=3)
    prompts = [
        (PrefixTuningConfig, sizes),
        (PrefixTuningConfig, sizes | dict(prefix_projection=True, encoder_hidden_size=12)),
        (PrefixTuningConfig, dict(num_virtual_tokens=1, modules_to_save=[head])),
        (PromptTuningConfig, sizes),
        (PromptTuningConfig, dict(num_virtual_tokens=1, prompt_tuning_init="SAMPLE_VOCAB")),
        (PromptTuningConfig, sizes | dict(modules_to_save=[head])),
        (PromptEncoderConfig, sizes | dict(encoder_hidden_size=8)),
        (PromptEncoderConfig, sizes | dict(encoder_reparameterization_type="LSTM", encoder_num_layers=1, encoder_hidden_size=8)),
    ]  # fmt: skip
    if "pythia" not in name:
        prompts += [
            (AdaptionPromptConfig, dict(adapter_len=4, adapter_layers=1)),
            (AdaptionPromptConfig, dict(adapter_len=1, adapter_layers=2)),
        ]
    lists = ("target_modules", "feedforward_modules", "modules_to_save")
    without_head = lambda options: {key: [name for name in value if name] if key in lists and isinstance(value, list) else value for key, value in options.items()}  # noqa: E731,E501
    ia3 = [without_head(options) for options in ia3 if options.get("target_modules") != [None]]
    prompts = [(config, without_head(options)) for config, options in prompts]
    return [
        *((f"ia3-{i}", IA3Config, options) for i, options in enumerate(ia3)),
        *((f"{config(**options).peft_type.value.lower()}-{i}", config, options) for i, (config, options) in enumerate(prompts)),
    ]


def base_model(folder: Path):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def make(folder: Path, out: Path, config: type, options: dict, dtype: str, start: int) -> dict:
    """Saves one adapter of random values, and reads its logits as PEFT loads it again."""
    torch.manual_seed(start)
    adapted = get_peft_model(base_model(folder), config(task_type="CAUSAL_LM", **options))
    generator = torch.Generator().manual_seed(start)
    with torch.no_grad():
        for parameter in adapted.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)
    adapted.save_pretrained(out)
    (out / "README.md").unlink(missing_ok=True)
    file = out / "adapter_model.safetensors"
    tensors = {key: value.to(DTYPES[dtype]) for key, value in load_file(file).items()}
    save_file(tensors, file, metadata={"format": "pt"})
    again = PeftModel.from_pretrained(base_model(folder), out).eval()
    with torch.no_grad():
        logits = again(torch.tensor(TOKENS)).logits[:, -len(TOKENS[0]) :]
    if not torch.isfinite(logits).all():
        raise ValueError("logits that are not finite")
    return {"logits": [round(x, 5) for x in logits.flatten().tolist()], "tensors": len(tensors)}


def plain(value):
    return sorted(value) if isinstance(value, set) else value


def main() -> None:
    for name, about in MODELS_WITH_ADAPTERS.items():
        folder, out = MODELS / name, ADAPTERS / name
        wanted = stamp(HERE / "adapter_cases.py", folder / "config.json", *sorted(folder.glob("*.safetensors")))
        if is_current(out, wanted):
            print(f"adapters of {name}: up to date")
            continue
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        cases, refused = [], []
        dtypes = itertools.cycle(["F32", "F32", "F64", "F16", "BF16"])
        for number, (case, config, options) in enumerate([*lora_cases(name, about), *other_cases(name, about)]):
            dtype = next(dtypes)
            try:
                made = make(folder, out / case, config, options, dtype, number)
            except Exception as error:  # noqa: BLE001 - what PEFT refuses is no case
                shutil.rmtree(out / case, ignore_errors=True)
                refused.append(f"{case} {options}: {type(error).__name__}: {str(error)[:160]}")
                continue
            shown = {key: plain(value) for key, value in options.items()}
            cases.append({"name": case, "options": shown, "dtype": dtype, **made})
        report = {"model": name, "versions": versions(), "tokens": TOKENS, "cases": cases, "refused": refused}
        (out / "reference.json").write_text(json.dumps(report) + "\n")
        mark_current(out, wanted)
        print(f"adapters of {name}: {len(cases)} made, PEFT refuses {len(refused)}")


if __name__ == "__main__":
    sys.exit(main())
