"""Reference values of torch, transformers and PEFT for one model folder.

    python reference.py <model folder> [<output folder>]     default: test/.cache/parity/<name of the model folder>
    python reference.py --all                                every folder in test/.models that is not up to date

What lies in the output folder, and under which names, is in README.md beside this file. Everything is float32 and
evaluated in eval mode, so there is no dropout anywhere.
"""

import json
import shutil
import sys
from pathlib import Path

from paths import CACHE, HERE, MODELS, is_current, mark_current, stamp, versions

import torch
from dropped import gradients_with_dropped, num_branches
from lora_cases import (
    COMBINATIONS,
    COMBINED,
    COMBINED_WEIGHTS,
    LORA_CASES,
    make_adapter,
    make_pair,
    plain_name,
    trainable,
)
from peft.optimizers import create_loraplus_optimizer
from safetensors.torch import save_file
from tasks import CONSTANT, Schedule, Task, adam_w, task_for
from transformers import AutoModelForCausalLM

# Of these only the reading of the file is of interest: they are other files of tiny-llama3 and tiny-gpt2.
READ_ONLY = ("tiny-llama3-sharded", "tiny-llama3-bf16", "tiny-llama3-f16", "tiny-gpt2-original")
DROPBP = ("tiny-llama2", "tiny-gpt2", "tiny-pythia")
FULL_STEPS = 10
LORA_STEPS = 20


def main(arguments: list[str]) -> None:
    if arguments == ["--all"]:
        for config in sorted(path for path in MODELS.glob("*/config.json") if writes_text(path)):
            make(config.parent, CACHE / config.parent.name)
    elif len(arguments) in (1, 2):
        folder = Path(arguments[0])
        make(folder, Path(arguments[1]) if len(arguments) == 2 else CACHE / folder.resolve().name)
    else:
        sys.exit(__doc__)


def writes_text(config: Path) -> bool:
    """Whether a model predicts the next token. A sentence encoder does not."""
    return not any(name.startswith("Bert") for name in json.loads(config.read_text()).get("architectures", []))


def make(folder: Path, out: Path) -> None:
    name = folder.resolve().name
    scripts = sorted(HERE / f"{script}.py" for script in ("reference", "tasks", "lora_cases", "dropped"))
    wanted = stamp(*scripts, folder / "config.json", *sorted(folder.glob("*.safetensors")))
    if is_current(out, wanted):
        print(f"{name}: up to date")
        return
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)

    task = task_for(folder)
    report = {"model": name, "versions": versions(), **forward_cases(folder, task, out)}
    if name not in READ_ONLY:
        report["batches"] = [{"inputIds": ids, "labels": labels} for ids, labels in task.batches]
        report["lora"] = [lora_case(folder, task, case, out) for case in LORA_CASES[name]]
    if name.startswith("tiny-") and name not in READ_ONLY:
        report["full"] = full_case(folder, task, out)
    if name in DROPBP:
        report["dropbp"] = dropbp_cases(folder, task, out)
    if name in COMBINED:
        report["combined"] = combined_cases(folder, task, out)

    (out / "reference.json").write_text(json.dumps(report, indent=1) + "\n")
    mark_current(out, wanted)
    print(f"{name}: made")


def load(folder: Path):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def forward_cases(folder: Path, task: Task, out: Path) -> dict:
    model = load(folder)
    ids, mask = task.padded
    with torch.no_grad():
        padded = model(torch.tensor(ids), attention_mask=torch.tensor(mask)).logits
    save_file(prompt_logits(model, task) | {"padded": padded.contiguous()}, out / "logits.safetensors")
    return {
        "prompts": task.prompts,
        "padded": {"inputIds": ids, "attentionMask": mask},
        "greedy": greedy(model, task),
    }


def prompt_logits(model, task: Task) -> dict[str, torch.Tensor]:
    with torch.no_grad():
        return {f"prompt.{i}": model(torch.tensor([ids])).logits[0].contiguous() for i, ids in enumerate(task.prompts)}


def greedy(model, task: Task) -> dict:
    """Of the prompts, the first that never comes near a tie: rounding alone could turn one the other way."""
    for prompt in task.greedy_prompts:
        new, margin = without_cache(model, prompt, task.greedy_tokens)
        if margin > 5e-3:
            break
    else:
        raise AssertionError("every prompt comes near a tie; offer more")

    start = torch.tensor([prompt])
    # Without a mask transformers would guess one from the padding token, which is also the end of a chat turn.
    options = {"attention_mask": torch.ones_like(start), "eos_token_id": -1}
    cached = model.generate(start, **options, max_new_tokens=task.greedy_tokens, do_sample=False)
    assert cached[0].tolist() == prompt + new
    return {"prompt": prompt, "tokens": new, "margin": margin, "text": task.decode(new)}


def without_cache(model, prompt: list[int], count: int) -> tuple[list[int], float]:
    """The greedy tokens, and the least distance of a best logit from the second."""
    tokens = list(prompt)
    margin = float("inf")
    with torch.no_grad():
        for _ in range(count):
            best = model(torch.tensor([tokens])).logits[0, -1].topk(2)
            margin = min(margin, (best.values[0] - best.values[1]).item())
            tokens.append(best.indices[0].item())
    return tokens[len(prompt) :], margin


def lora_case(folder: Path, task: Task, case, out: Path) -> dict:
    base = load(folder)
    place = out / "lora" / case.name
    # PEFT's conversion loses the magnitudes of DoRA.
    converts = case.takes_from_base and not case.options.get("use_dora")
    adapted = make_adapter(base, case, place / "initial" if converts else None)
    adapted.save_pretrained(place / "adapter_start")
    tensors = {f"start.{name}": value for name, value in prompt_logits(adapted, task).items()}

    losses = train(adapted, task, case.steps or LORA_STEPS, case.schedule, case.loraplus)
    adapted.save_pretrained(place / "adapter_end")
    tensors |= {f"end.{name}": value for name, value in prompt_logits(adapted, task).items()}
    names = trainable(adapted)
    if converts:
        adapted.save_pretrained(
            place / "adapter_converted", path_initial_model_for_weight_conversion=str(place / "initial")
        )
    if case.merges:
        merged = adapted.merge_and_unload(safe_merge=True)
        tensors |= {f"merged.{name}": value for name, value in prompt_logits(merged, task).items()}
    save_file(tensors, place / "logits.safetensors")
    return {
        "name": case.name,
        "trainable": names,
        "merges": case.merges,
        "takesFromBase": case.takes_from_base,
        "converted": converts,
        "optimizer": adam_w(),
        "loraplus": case.loraplus,
        "schedule": case.schedule.describe(),
        "losses": losses,
    }


def combined_cases(folder: Path, task: Task, out: Path) -> dict:
    name = folder.resolve().name
    place = out / "combined"
    tensors = {}
    for case, options in COMBINATIONS.items():
        adapted = make_pair(load(folder), name)
        if not place.exists():
            adapted.save_pretrained(place)
        adapted.add_weighted_adapter(
            ["a", "b"], COMBINED_WEIGHTS, "result", **{"combination_type": case, **options}
        )
        adapted.set_adapter("result")
        tensors |= {f"{case}.{key}": value for key, value in prompt_logits(adapted, task).items()}
    save_file(tensors, place / "logits.safetensors")
    return {"weights": COMBINED_WEIGHTS, "combinations": {c: {"combination_type": c, **o} for c, o in COMBINATIONS.items()}}


def optimizer_of(model, loraplus: dict[str, float] | None):
    options = adam_w()
    others = {"betas": (options["beta1"], options["beta2"]), "eps": options["epsilon"]}
    if loraplus is not None:
        return create_loraplus_optimizer(model, torch.optim.AdamW, lr=options["learningRate"], **loraplus, **others)
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return torch.optim.AdamW(trainable, lr=options["learningRate"], weight_decay=options["weightDecay"], **others)


def train(
    model, task: Task, steps: int, schedule: Schedule = CONSTANT, loraplus: dict[str, float] | None = None
) -> list[float]:
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = optimizer_of(model, loraplus)
    rates = [group["lr"] for group in optimizer.param_groups]
    losses = []
    for step in range(steps):
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * schedule.factor(step, steps)
        loss = task.loss(model, step)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if schedule.max_grad_norm is not None:
            torch.nn.utils.clip_grad_norm_(trainable, schedule.max_grad_norm)
        optimizer.step()
        losses.append(loss.item())
    return losses


def full_case(folder: Path, task: Task, out: Path) -> dict:
    model = load(folder)
    losses = train(model, task, FULL_STEPS)
    end = {name: parameter.detach().contiguous() for name, parameter in model.named_parameters()}
    place = out / "full"
    place.mkdir()
    save_file(end, place / "parameters_end.safetensors")
    save_file(
        {f"end.{name}": value for name, value in prompt_logits(model, task).items()}, place / "logits.safetensors"
    )
    return {"optimizer": adam_w(), "losses": losses}


def dropbp_cases(folder: Path, task: Task, out: Path) -> list[dict]:
    place = out / "dropbp"
    place.mkdir()
    reports = []
    methods = {"full": None} | {case.name: case for case in LORA_CASES[folder.resolve().name]}
    for method, case in methods.items():
        for pattern, dropped in drop_patterns(num_branches(load(folder))).items():
            # Of the cases that differ in one option, one pattern with kept and dropped branches is enough.
            if case is not None and case.options and pattern != "mixed":
                continue
            model = load(folder) if case is None else make_adapter(load(folder), case)
            loss, gradients = gradients_with_dropped(model, task, dropped)
            file = f"{method}.{pattern}.safetensors"
            save_file({checkpoint_name(model, name): value for name, value in gradients.items()}, place / file)
            reports.append(
                {"method": method, "pattern": pattern, "dropped": dropped, "loss": loss, "gradients": f"dropbp/{file}"}
            )
    return reports


def checkpoint_name(model, name: str) -> str:
    """As files have it: only there is the head of GPT-NeoX still called embed_out."""
    plain = plain_name(name)
    return plain.replace("lm_head.", "embed_out.") if model.config.model_type == "gpt_neox" else plain


def drop_patterns(branches: int) -> dict[str, list[bool]]:
    """Branch order: attention of layer 0, mlp of layer 0, attention of layer 1, …"""
    return {
        "none": [False] * branches,
        "first": [branch == 0 for branch in range(branches)],
        "last": [branch == branches - 1 for branch in range(branches)],
        "attention": [branch % 2 == 0 for branch in range(branches)],
        "mlp": [branch % 2 == 1 for branch in range(branches)],
        "mixed": [branch % 3 != 1 for branch in range(branches)],
        "lower-half": [branch < branches // 2 for branch in range(branches)],
        "all": [True] * branches,
    }


if __name__ == "__main__":
    main(sys.argv[1:])
