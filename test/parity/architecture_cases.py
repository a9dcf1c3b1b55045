"""Reference values on every architecture: logits, greedy text, and gradients with none, some and all branches dropped.

    python architecture_cases.py     every fixture of packages/models that is not up to date

Writes test/.cache/architectures/<fixture>: README.md says under which names. Everything is float32, with eager attention and without
dropout. Of fixtures that also read images there are none: their language model is that of others. Encoders have a script of
their own.
"""

import json
import shutil
from pathlib import Path

from paths import ENCODERS, HERE, ROOT, is_current, mark_current, stamp, versions

import torch
from dropped import gradients_with_dropped, num_branches
from peft import LoraConfig, get_peft_model
from peft.utils import constants
from safetensors.torch import save_file
from tasks import IGNORED, Task
from transformers import AutoModelForCausalLM

FIXTURES = ROOT / "packages" / "models" / "test" / "fixtures"
OUT = ROOT / "test" / ".cache" / "architectures"
TIME = 16
GREEDY = 24
PREFIX = "base_model.model."


def main() -> None:
    scripts = [HERE / f"{script}.py" for script in ("architecture_cases", "tasks", "dropped")]
    for config in sorted(FIXTURES.glob("*/config.json")):
        folder, out = config.parent, OUT / config.parent.name
        known = json.loads(config.read_text())
        if "vision_config" in known or known["model_type"] in ENCODERS:
            continue
        wanted = stamp(*scripts, config, folder / "model.safetensors")
        if is_current(out, wanted):
            continue
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        (out / "reference.json").write_text(json.dumps(reference(folder, out)) + "\n")
        mark_current(out, wanted)
        print(f"architecture {folder.name}: made")


def reference(folder: Path, out: Path) -> dict:
    model = load(folder)
    task = random_task(model.config.vocab_size)
    cases = [
        {"method": method, "pattern": pattern, "dropped": dropped, **gradients(folder, out, task, method, pattern, dropped)}
        for method in ("full", "lora")
        for pattern, dropped in patterns(num_branches(model)).items()
    ]
    kind = model.config.model_type
    if kind == "gpt_neox":
        lora(folder, modules_to_save=["lm_head"]).save_pretrained(out / "head")
    return {
        "versions": versions(),
        "prompts": task.prompts,
        "logits": [logits(model, prompt) for prompt in task.prompts],
        "greedy": greedy(model, task),
        "batch": dict(zip(("inputIds", "labels"), task.batches[0], strict=True)),
        "adapted": [logits(lora(folder), prompt) for prompt in task.prompts],
        "cases": cases,
        "defaults": {
            "lora": constants.TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING.get(kind),
            "ia3": constants.TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING.get(kind),
            "feedforward": constants.TRANSFORMERS_MODELS_TO_IA3_FEEDFORWARD_MODULES_MAPPING.get(kind),
        },
    }


def random_task(vocab_size: int) -> Task:
    generator = torch.Generator().manual_seed(7)
    draw = lambda *shape: torch.randint(0, vocab_size, shape, generator=generator)  # noqa: E731
    ids = draw(2, TIME)
    labels = ids.clone()
    labels[0, :5] = IGNORED
    labels[1, 12:] = IGNORED
    prompts = [draw(length).tolist() for length in (5, 9, TIME)]
    return Task(
        prompts=prompts, padded=([], []), greedy_prompts=prompts[:1], greedy_tokens=GREEDY,
        batches=[(ids.tolist(), labels.tolist())], decode=str,
    )  # fmt: skip


def patterns(count: int) -> dict[str, list[bool]]:
    return {"none": [False] * count, "some": [i % 3 == 1 for i in range(count)], "all": [True] * count}


def load(folder: Path):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


def lora(folder: Path, **others):
    """LoRA on every linear layer, A and B random."""
    torch.manual_seed(11)
    model = load(folder)
    # To PEFT, 'all-linear' means some models' experts too.
    targets = [f"{part}_proj" for part in "qkvo"] if hasattr(model.config, "num_local_experts") else "all-linear"
    options = {"r": 3, "lora_alpha": 5, "target_modules": targets, "init_lora_weights": False}
    return get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **options, **others)).eval()


def gradients(folder: Path, out: Path, task: Task, method: str, pattern: str, dropped: list[bool]) -> dict:
    model = load(folder) if method == "full" else lora(folder)
    if method == "lora" and pattern == "none":
        model.save_pretrained(out / "lora")
    loss, found = gradients_with_dropped(model, task, dropped)
    file = f"{method}.{pattern}.safetensors"
    save_file({name.removeprefix(PREFIX).replace(".default", ""): tensor for name, tensor in found.items()}, out / file)
    return {"loss": loss, "gradients": file}


def logits(model, tokens: list[int]) -> list[float]:
    with torch.no_grad():
        return model(torch.tensor([tokens])).logits.flatten().tolist()


def greedy(model, task: Task) -> dict:
    [prompt] = task.greedy_prompts
    ids = torch.tensor([prompt])
    with torch.no_grad():
        result = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=task.greedy_tokens, do_sample=False)
    return {"prompt": prompt, "tokens": result[0, len(prompt) :].tolist()}


if __name__ == "__main__":
    main()
