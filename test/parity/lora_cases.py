"""The LoRA adapters whose training is compared, by model."""

from dataclasses import dataclass, field

import torch
from peft import LoraConfig, get_peft_model
from tasks import CONSTANT, Schedule

ALL_LLAMA = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
ALL_GPT2 = ["c_attn", "c_proj", "c_fc"]


@dataclass(frozen=True)
class Case:
    name: str
    target_modules: list[str]
    rank: int = 8
    alpha: int = 16
    use_rslora: bool = False
    fan_in_fan_out: bool = False
    rank_pattern: dict[str, int] = field(default_factory=dict)
    alpha_pattern: dict[str, int] = field(default_factory=dict)
    schedule: Schedule = CONSTANT
    steps: int | None = None


QV = Case("qv", ["q_proj", "v_proj"])
CLIPPED = Case(
    "qv-clipped-cosine", ["q_proj", "v_proj"], schedule=Schedule(warmup_steps=4, cosine=True, max_grad_norm=0.1)
)
PATTERNS = Case(
    "patterns",
    ["q_proj", "v_proj", "down_proj"],
    rank_pattern={"layers.0.self_attn.q_proj": 4, "down_proj": 2},
    alpha_pattern={"layers.1.self_attn.q_proj": 5, "v_proj": 32},
)

LORA_CASES: dict[str, list[Case]] = {
    "smollm2-135m": [QV],
    "tiny-llama2": [QV, Case("all-linear-rslora", ALL_LLAMA, use_rslora=True)],
    "tiny-llama3": [QV, CLIPPED, PATTERNS],
    "tiny-mistral": [QV],
    "tiny-qwen2": [QV],
    "tiny-qwen3": [QV],
    "tiny-smollm": [QV],
    "tiny-gpt2": [
        Case("c_attn", ["c_attn"], fan_in_fan_out=True),
        Case("all-linear", ALL_GPT2, fan_in_fan_out=True),
        Case("all-linear-rslora", ALL_GPT2, fan_in_fan_out=True, use_rslora=True),
    ],
}


def lora_config(case: Case) -> dict:
    return {
        "rank": case.rank,
        "alpha": case.alpha,
        "useRslora": case.use_rslora,
        "targetModules": case.target_modules,
        "rankPattern": case.rank_pattern,
        "alphaPattern": case.alpha_pattern,
    }


def make_adapter(base, case: Case):
    """PEFT's adapter with A and B fixed by a seed. B is not zero: at zero, A would have no gradient."""
    adapted = get_peft_model(
        base,
        LoraConfig(
            task_type="CAUSAL_LM",
            r=case.rank,
            lora_alpha=case.alpha,
            lora_dropout=0.0,
            target_modules=case.target_modules,
            use_rslora=case.use_rslora,
            fan_in_fan_out=case.fan_in_fan_out,
            rank_pattern=case.rank_pattern,
            alpha_pattern=case.alpha_pattern,
        ),
    )
    generator = torch.Generator().manual_seed(4321)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if ".lora_A." in name:
                bound = parameter.shape[1] ** -0.5
                parameter.copy_((torch.rand(parameter.shape, generator=generator) * 2 - 1) * bound)
            elif ".lora_B." in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.02)
    return adapted.eval()


def plain_name(name: str) -> str:
    """PEFT's name in memory -> its name on disk without 'base_model.model.'; other names stay."""
    return name.removeprefix("base_model.model.").replace(".default.weight", ".weight")
