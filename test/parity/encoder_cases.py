"""Reference values on every encoder: states, and gradients with none, some and all branches dropped.

    python encoder_cases.py     every encoder among the fixtures of packages/models, and MiniLM, that is not up to date

Writes test/.cache/encoders/<model>: README.md says under which names. Everything is float32, with eager attention and without
dropout. A dropped branch runs under the rule of dropped.py: the norm behind it stays on the way of the gradient.
"""

import json
import shutil
from pathlib import Path

from paths import ENCODERS, HERE, MODELS, ROOT, is_current, mark_current, stamp, versions

import torch
from dropped import gradients_with_dropped, num_branches
from peft import LoraConfig, get_peft_model
from peft.utils import constants
from safetensors.torch import save_file
from transformers import AutoModel

FIXTURES = ROOT / "packages" / "models" / "test" / "fixtures"
OUT = ROOT / "test" / ".cache" / "encoders"
TIME = 16
PREFIX = "base_model.model."


def main() -> None:
    scripts = [HERE / f"{script}.py" for script in ("encoder_cases", "dropped")]
    for folder in (*sorted(config.parent for config in FIXTURES.glob("*/config.json")), MODELS / "minilm"):
        config, out = folder / "config.json", OUT / folder.name
        if json.loads(config.read_text())["model_type"] not in ENCODERS:
            continue
        wanted = stamp(*scripts, config, folder / "model.safetensors")
        if is_current(out, wanted):
            continue
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        reference = real(folder) if folder.name == "minilm" else small(folder, out)
        (out / "reference.json").write_text(json.dumps(reference) + "\n")
        mark_current(out, wanted)
        print(f"encoder {folder.name}: made")


def real(folder: Path) -> dict:
    model = load(folder)
    batch = draw_batch(model)
    return {"versions": versions(), "batch": plain(batch), "states": states(model, batch), "cases": []}


def small(folder: Path, out: Path) -> dict:
    model = load(folder)
    batch = draw_batch(model)
    task = Task(batch)
    cases = [
        {"method": method, "pattern": pattern, "dropped": dropped, **gradients(folder, out, task, method, pattern, dropped)}
        for method in ("full", "lora")
        for pattern, dropped in patterns(num_branches(model)).items()
    ]
    kind = model.config.model_type
    prompt = batch["inputIds"][1:, :9]
    return {
        "versions": versions(),
        "batch": plain(batch),
        "states": states(model, batch),
        "prompts": prompt.tolist(),
        "adapted": [states(lora(folder), {"inputIds": prompt})],
        "target": task.target.tolist(),
        "cases": cases,
        "defaults": {
            "lora": constants.TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING.get(kind),
            "ia3": constants.TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING.get(kind),
            "feedforward": constants.TRANSFORMERS_MODELS_TO_IA3_FEEDFORWARD_MODULES_MAPPING.get(kind),
        },
    }


class Task:
    """The mean square of what states lack of random ones, over the tokens that are not padding."""

    def __init__(self, batch: dict):
        self.batch = batch
        generator = torch.Generator().manual_seed(13)
        self.target = torch.randn(2, TIME, 1, generator=generator)

    def loss(self, model, _index: int) -> torch.Tensor:
        squares = (run(model, self.batch) - self.target).square().mean(-1)
        mask = self.batch["attentionMask"]
        return (squares * mask).sum() / mask.sum()


def draw_batch(model) -> dict:
    """Two rows, of which the first ends with padding."""
    generator = torch.Generator().manual_seed(7)
    # Without the first ids, which some models take for padding.
    ids = torch.randint(4, model.config.vocab_size, (2, TIME), generator=generator)
    mask = torch.ones_like(ids)
    mask[0, 11:] = 0
    ids[0, 11:] = model.config.pad_token_id
    batch = {"inputIds": ids, "attentionMask": mask}
    if getattr(model.config, "type_vocab_size", 0) > 1:
        batch["tokenTypes"] = (torch.arange(TIME) > 6).long().repeat(2, 1)
    return batch


def run(model, batch: dict) -> torch.Tensor:
    more = {"token_type_ids": batch["tokenTypes"]} if "tokenTypes" in batch else {}
    return model(batch["inputIds"], attention_mask=batch.get("attentionMask"), **more).last_hidden_state


def states(model, batch: dict) -> list[float]:
    with torch.no_grad():
        return run(model, batch).flatten().tolist()


def plain(batch: dict) -> dict:
    return {name: tensor.tolist() for name, tensor in batch.items()}


def patterns(count: int) -> dict[str, list[bool]]:
    return {"none": [False] * count, "some": [i % 3 == 1 for i in range(count)], "all": [True] * count}


def load(folder: Path):
    return AutoModel.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


def lora(folder: Path):
    """LoRA on every linear layer, A and B random."""
    torch.manual_seed(11)
    options = {"r": 3, "lora_alpha": 5, "target_modules": "all-linear", "init_lora_weights": False}
    return get_peft_model(load(folder), LoraConfig(task_type="FEATURE_EXTRACTION", **options)).eval()


def gradients(folder: Path, out: Path, task: Task, method: str, pattern: str, dropped: list[bool]) -> dict:
    model = load(folder) if method == "full" else lora(folder)
    if method == "lora" and pattern == "none":
        model.save_pretrained(out / "lora")
    loss, found = gradients_with_dropped(model, task, dropped)
    file = f"{method}.{pattern}.safetensors"
    save_file({name.removeprefix(PREFIX).replace(".default", ""): tensor for name, tensor in found.items()}, out / file)
    return {"loss": loss, "gradients": file}


if __name__ == "__main__":
    main()
