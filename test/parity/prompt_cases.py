"""Gradients in which prompts are constants, by torch, transformers and PEFT.

    python prompt_cases.py           every model of MODELS_WITH_PROMPTS that is not up to date

Each attention takes the keys and values of prompt tokens as constants: those in front of the first token of a row that predicts
a label. Writes test/.cache/prompts/<model>/reference.json and beside it, for every case, an adapter folder and gradients:
README.md says under which names. Everything is float32 and without dropout.
"""

import json
import shutil
import warnings
from pathlib import Path

from paths import HERE, MODELS, ROOT, is_current, mark_current, stamp, versions

import torch

warnings.filterwarnings("ignore", message=".*`?past_key_values`? (is deprecated|and `cache`)|fan_in_fan_out is set")

from method_cases import plain_name
from peft import IA3Config, LoraConfig, PrefixTuningConfig, PromptTuningConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AttentionInterface, AutoModelForCausalLM
from transformers.masking_utils import AttentionMaskInterface, eager_mask

PROMPTS = ROOT / "test" / ".cache" / "prompts"
IGNORED = -100
TIME = 32

LLAMA = (["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"], ["down_proj"])
# The linear layers, and those among them that IA3 takes for feed-forward ones.
MODELS_WITH_PROMPTS = {
    "tiny-llama3": LLAMA,
    "tiny-mistral": LLAMA,
    "tiny-qwen2": LLAMA,
    "tiny-gpt2": (["c_attn", "attn.c_proj", "c_fc", "mlp.c_proj"], ["mlp.c_proj"]),
    "tiny-pythia": (["query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h"], ["dense_4h_to_h"]),
}

# bool [batch, time]: the tokens whose keys and values take a gradient.
answers: torch.Tensor | None = None


def constant_prompts(module, query, key, value, attention_mask, scaling=None, **_):
    """Plain attention in which keys and values of prompts take no gradient. A prefix and virtual tokens come before all tokens."""
    front = key.shape[2] - answers.shape[1]
    kept = torch.cat([torch.ones(len(answers), front, dtype=torch.bool), answers], 1)[:, None, :, None]
    key, value = (torch.where(kept, states, states.detach()) for states in (key, value))
    groups = query.shape[1] // key.shape[1]
    key, value = (states.repeat_interleave(groups, dim=1) for states in (key, value))
    scores = query @ key.transpose(2, 3) * (scaling if scaling is not None else query.shape[-1] ** -0.5)
    scores = scores + attention_mask[..., : key.shape[2]]
    return (scores.softmax(-1) @ value).transpose(1, 2).contiguous(), None


AttentionInterface.register("constant_prompts", constant_prompts)
AttentionMaskInterface.register("constant_prompts", eager_mask)


def make_batches() -> list[dict]:
    generator = torch.Generator().manual_seed(97)
    # Stretches of each row, of tokens without and with labels in turn.
    rows_of = [[[20, 12], [20, 12]], [[20, 8], [3, 24], [27, 5]], [[9, 5, 11, 7], [14, 2, 3, 9]]]
    batches = []
    for rows in rows_of:
        batch = {"inputIds": [], "labels": [], "attentionMask": []}
        for row in rows:
            ids = torch.randint(1, 320, (sum(row),), generator=generator).tolist()
            marks = [i % 2 == 1 for i, count in enumerate(row) for _ in range(count)]
            padding = TIME - len(ids)
            batch["inputIds"].append(ids + [0] * padding)
            batch["labels"].append([t if m else IGNORED for t, m in zip(ids, marks, strict=True)] + [IGNORED] * padding)
            batch["attentionMask"].append([1] * len(ids) + [0] * padding)
        batches.append(batch)
    return batches


def answers_of(batch: dict) -> torch.Tensor:
    first = [next(i for i, label in enumerate(row) if i > 0 and label != IGNORED) for row in batch["labels"]]
    return torch.arange(TIME)[None] >= torch.tensor(first)[:, None] - 1


def gradients(model, batch: dict) -> tuple[float, dict[str, torch.Tensor]]:
    global answers
    answers = answers_of(batch)
    model.zero_grad(set_to_none=True)
    loss = model(
        input_ids=torch.tensor(batch["inputIds"]),
        attention_mask=torch.tensor(batch["attentionMask"]),
        labels=torch.tensor(batch["labels"]),
    ).loss
    loss.backward()
    return loss.item(), {
        file_name(name): p.grad.contiguous() for name, p in model.named_parameters() if p.grad is not None
    }


def file_name(name: str) -> str:
    """The name of a parameter as we have it: DoRA's magnitude is no module there."""
    return plain_name(name).replace("lora_magnitude_vector.weight", "lora_magnitude_vector")


def configs(linear: list[str], feedforward: list[str]) -> dict:
    return {
        "lora": LoraConfig(r=4, lora_alpha=8, target_modules=linear),
        "dora": LoraConfig(r=4, lora_alpha=8, target_modules=linear, use_dora=True),
        "ia3": IA3Config(target_modules=linear, feedforward_modules=feedforward),
        "prefix": PrefixTuningConfig(num_virtual_tokens=5),
        "prompt": PromptTuningConfig(num_virtual_tokens=5),
        "full": None,
    }


def load(folder: Path, config):
    torch.manual_seed(77)
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="constant_prompts"
    ).eval()
    if config is None:
        return model
    config.task_type = "CAUSAL_LM"
    adapted = get_peft_model(model, config).eval()
    generator = torch.Generator().manual_seed(4321)
    with torch.no_grad():
        for parameter in adapted.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)
    return adapted


def main() -> None:
    for name, layers in MODELS_WITH_PROMPTS.items():
        folder, out = MODELS / name, PROMPTS / name
        scripts = [HERE / "prompt_cases.py", HERE / "method_cases.py"]
        wanted = stamp(*scripts, folder / "config.json", *sorted(folder.glob("*.safetensors")))
        if is_current(out, wanted):
            print(f"prompts of {name}: up to date")
            continue
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        batches = make_batches()
        cases = []
        for case, config in configs(*layers).items():
            model = load(folder, config)
            (out / case).mkdir()
            if config is not None:
                model.save_pretrained(out / case / "adapter")
            losses = []
            for i, batch in enumerate(batches):
                loss, found = gradients(model, batch)
                losses.append(loss)
                save_file(found, out / case / f"gradients.{i}.safetensors")
            cases.append({"name": case, "losses": losses})
        report = {"model": name, "versions": versions(), "batches": batches, "cases": cases}
        (out / "reference.json").write_text(json.dumps(report, indent=1) + "\n")
        mark_current(out, wanted)
        print(f"prompts of {name}: made")


if __name__ == "__main__":
    main()
