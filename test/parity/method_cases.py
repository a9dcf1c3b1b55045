"""Reference values of PEFT's methods besides LoRA: prefix tuning, prompt tuning, P-tuning, LLaMA-Adapter and IA3.

    python method_cases.py           every model of MODELS_WITH_METHODS that is not up to date

Writes test/.cache/methods/<model>/reference.json and beside it, for every case, adapter folders and logits: README.md
says under which names. Everything is float32 and without dropout.
"""

import json
import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path

from paths import HERE, MODELS, ROOT, is_current, mark_current, stamp, versions

import torch

warnings.filterwarnings("ignore", message=".*`?past_key_values`? (is deprecated|and `cache`)|fan_in_fan_out is set")

from peft import (
    AdaptionPromptConfig,
    IA3Config,
    PeftConfig,
    PrefixTuningConfig,
    PromptEncoderConfig,
    PromptTuningConfig,
    get_peft_model,
)
from dropped import gradients_with_dropped, num_branches
from safetensors.torch import save_file
from tasks import Task, adam_w, task_for
from transformers import AutoModelForCausalLM

METHODS = ROOT / "test" / ".cache" / "methods"
VIRTUAL = 5
STEPS = 5
GREEDY = 12


@dataclass(frozen=True)
class Case:
    name: str
    config: type[PeftConfig]
    options: dict
    # Whether a network is trained, which the adapter's files do not hold.
    encoder: bool = False
    merges: bool = False
    # That of the base model, for a text to start from.
    needs_tokenizer: bool = False

    @property
    def learning_rate(self) -> float:
        """Lower for a network: Adam moves a weight whose gradient is all rounding by the full rate, either way."""
        return 1e-3 if self.encoder else 1e-2


PROMPTS = {"num_virtual_tokens": VIRTUAL}
COMMON = [
    Case("prefix", PrefixTuningConfig, PROMPTS),
    Case("prefix-zero", PrefixTuningConfig, PROMPTS | {"init_weights": "zero"}),
    Case("prefix-projection", PrefixTuningConfig, PROMPTS | {"prefix_projection": True, "encoder_hidden_size": 24}, encoder=True),
    Case("prompt", PromptTuningConfig, PROMPTS),
    Case("prompt-vocabulary", PromptTuningConfig, PROMPTS | {"prompt_tuning_init": "SAMPLE_VOCAB"}),
    Case("prompt-text", PromptTuningConfig, PROMPTS | {"prompt_tuning_init": "TEXT", "prompt_tuning_init_text": "Go on"},
         needs_tokenizer=True),
    Case("p-tuning", PromptEncoderConfig, PROMPTS | {"encoder_hidden_size": 24}, encoder=True),
    Case("p-tuning-lstm", PromptEncoderConfig,
         PROMPTS | {"encoder_hidden_size": 12, "encoder_reparameterization_type": "LSTM"}, encoder=True),
    Case("ia3", IA3Config, {}, merges=True),
]  # fmt: skip
LLAMA_ADAPTER = Case("llama-adapter", AdaptionPromptConfig, {"adapter_len": 6, "adapter_layers": 2})
ALL_LLAMA = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
ALL_GPT2 = ["c_attn", "attn.c_proj", "mlp.c_proj", "c_fc"]


def ia3_of(targets: list[str], feedforward: list[str]) -> Case:
    options = {"target_modules": targets, "feedforward_modules": feedforward}
    return Case("ia3-all", IA3Config, options, merges=True)


# Grouped heads; a sliding window that prefix and prompts leave; norms of q and k and a head size of its own; GPT-2.
MODELS_WITH_METHODS: dict[str, list[Case]] = {
    "tiny-llama3": [*COMMON, LLAMA_ADAPTER, ia3_of(ALL_LLAMA, ["o_proj", "down_proj"])],
    "tiny-mistral": [*COMMON, LLAMA_ADAPTER],
    "tiny-qwen2": [COMMON[0], COMMON[3], ia3_of(["k_proj", "v_proj", "down_proj"], ["down_proj"])],
    "tiny-qwen3": COMMON,
    "tiny-gpt2": [*COMMON, LLAMA_ADAPTER, ia3_of(ALL_GPT2, ["attn.c_proj", "mlp.c_proj"])],
}


# Full fine-tuning of some weights: biases alone (BitFit), norms alone. Llama 3 has no biases.
PARTS: dict[str, list[str]] = {
    "tiny-llama3": ["norms"],
    "tiny-mistral": [],
    "tiny-qwen2": ["biases", "norms"],
    "tiny-qwen3": [],
    "tiny-gpt2": ["biases", "norms"],
}


def main() -> None:
    for name, cases in MODELS_WITH_METHODS.items():
        folder, out = MODELS / name, METHODS / name
        scripts = [HERE / "method_cases.py", HERE / "tasks.py", HERE / "dropped.py"]
        wanted = stamp(*scripts, folder / "config.json", *sorted(folder.glob("*.safetensors")))
        if is_current(out, wanted):
            print(f"methods of {name}: up to date")
            continue
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        task = task_for(folder)
        report = {
            "model": name,
            "versions": versions(),
            "prompts": task.prompts,
            "padded": dict(zip(("inputIds", "attentionMask"), task.padded, strict=True)),
            "batches": [{"inputIds": ids, "labels": labels} for ids, labels in task.batches],
            "cases": [run(folder, task, case, out / case.name) for case in cases],
            "parts": [run_part(folder, task, part, out / part) for part in PARTS[name]],
        }
        (out / "reference.json").write_text(json.dumps(report, indent=1) + "\n")
        mark_current(out, wanted)
        print(f"methods of {name}: made")


def run(folder: Path, task: Task, case: Case, out: Path) -> dict:
    adapted = make(folder, case)
    adapted.save_pretrained(out / "adapter_start")
    if case.encoder:
        save_file(encoder_weights(adapted), out / "encoder_start.safetensors")
    shapes = {plain_name(name): list(p.shape) for name, p in adapted.named_parameters() if p.requires_grad}
    tensors = {f"start.{name}": value for name, value in logits(adapted, task).items()}
    continuation = greedy(adapted, task)
    dropped = dropbp_cases(adapted, task, out)
    losses = train(adapted, task, case.learning_rate)
    adapted.save_pretrained(out / "adapter_end")
    tensors |= {f"end.{name}": value for name, value in logits(adapted, task).items()}
    if case.merges:
        merged = adapted.merge_and_unload()
        tensors |= {f"merged.{name}": value for name, value in logits(merged, task).items()}
    save_file(tensors, out / "logits.safetensors")
    return {
        "name": case.name,
        "method": str(case.config(**case.options, **tokenizer_of(folder, case)).peft_type.value),
        "options": {key: sorted(value) if isinstance(value, set) else value for key, value in case.options.items()},
        "hasEncoder": case.encoder,
        "merges": case.merges,
        "parameters": shapes,
        "greedy": continuation,
        "optimizer": adam_w() | {"learningRate": case.learning_rate},
        "losses": losses,
        "dropbp": dropped,
    }


def dropbp_cases(adapted, task: Task, out: Path) -> list[dict]:
    branches = num_branches(adapted)
    patterns = {
        "attention": [branch % 2 == 0 for branch in range(branches)],
        "mixed": [branch % 3 != 1 for branch in range(branches)],
        "lower-half": [branch < branches // 2 for branch in range(branches)],
        "all": [True] * branches,
    }
    reports = []
    for pattern, dropped in patterns.items():
        adapted.zero_grad(set_to_none=True)
        loss, gradients = gradients_with_dropped(adapted, task, dropped)
        file = f"dropbp.{pattern}.safetensors"
        save_file({plain_name(name): value for name, value in gradients.items()}, out / file)
        reports.append({"pattern": pattern, "dropped": dropped, "loss": loss, "gradients": file})
    adapted.zero_grad(set_to_none=True)
    return reports


def run_part(folder: Path, task: Task, part: str, out: Path) -> dict:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    norms = ("layernorm", "norm", "ln_1", "ln_2", "ln_f")
    for name, parameter in model.named_parameters():
        in_norm = name.rsplit(".", 2)[-2].endswith(norms)
        parameter.requires_grad_(name.endswith(".bias") if part == "biases" else in_norm)
    names = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    losses = train(model, task, 1e-2)
    out.mkdir()
    save_file({f"end.{name}": value for name, value in logits(model, task).items()}, out / "logits.safetensors")
    return {"part": part, "parameters": names, "optimizer": adam_w() | {"learningRate": 1e-2}, "losses": losses}


def tokenizer_of(folder: Path, case: Case) -> dict:
    return {"tokenizer_name_or_path": str(folder)} if case.needs_tokenizer else {}


def make(folder: Path, case: Case):
    """PEFT's adapter, as it starts with a fixed seed, moved a little: at first a gate is 0 and a factor 1."""
    torch.manual_seed(77)
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    config = case.config(task_type="CAUSAL_LM", **case.options, **tokenizer_of(folder, case))
    adapted = get_peft_model(base, config)
    generator = torch.Generator().manual_seed(4321)
    with torch.no_grad():
        for _, parameter in adapted.named_parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.2)
    return adapted.eval()


def plain_name(name: str) -> str:
    """PEFT's name in memory without the adapter's: 'prompt_encoder.embedding.weight'."""
    return name.removeprefix("base_model.model.").replace(".default", "")


def encoder_weights(adapted) -> dict[str, torch.Tensor]:
    return {plain_name(name): p.detach().clone() for name, p in adapted.named_parameters() if p.requires_grad}


def own(values: torch.Tensor, count: int) -> torch.Tensor:
    """Of the logits those of the text: PEFT gives those of virtual tokens too."""
    return values[:, -count:].contiguous()


def logits(adapted, task: Task) -> dict[str, torch.Tensor]:
    ids, mask = task.padded
    with torch.no_grad():
        result = {f"prompt.{i}": own(adapted(torch.tensor([p])).logits, len(p))[0] for i, p in enumerate(task.prompts)}
        padded = adapted(input_ids=torch.tensor(ids), attention_mask=torch.tensor(mask)).logits
        return result | {"padded": own(padded, len(ids[0]))}


def greedy(adapted, task: Task) -> dict:
    """The continuation of a prompt that never comes near a tie, without a cache: with transformers 5.24, PEFT 0.21 loses
    a prefix in generate(), which hands the model two caches."""
    for prompt in task.greedy_prompts:
        tokens, margin = list(prompt), float("inf")
        with torch.no_grad():
            for _ in range(GREEDY):
                best = adapted(torch.tensor([tokens])).logits[0, -1].topk(2)
                margin = min(margin, (best.values[0] - best.values[1]).item())
                tokens.append(best.indices[0].item())
        if margin > 5e-3:
            return {"prompt": prompt, "tokens": tokens[len(prompt) :], "margin": margin}
    raise AssertionError("every prompt comes near a tie; offer more")


def train(adapted, task: Task, learning_rate: float) -> list[float]:
    options = adam_w()
    optimizer = torch.optim.AdamW(
        [p for p in adapted.parameters() if p.requires_grad],
        lr=learning_rate,
        betas=(options["beta1"], options["beta2"]),
        eps=options["epsilon"],
        weight_decay=options["weightDecay"],
    )
    losses = []
    for step in range(STEPS):
        loss = task.loss(adapted, step)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    main()
