"""The LoRA adapters whose files and training are compared, by model."""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from tasks import CONSTANT, Schedule

ALL_LLAMA = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
ALL_GPT2 = ["c_attn", "c_proj", "c_fc"]


@dataclass(frozen=True)
class Case:
    name: str
    target_modules: list[str] | str
    rank: int = 8
    alpha: int = 16
    use_rslora: bool = False
    fan_in_fan_out: bool = False
    rank_pattern: dict[str, int] = field(default_factory=dict)
    alpha_pattern: dict[str, int] = field(default_factory=dict)
    schedule: Schedule = CONSTANT
    steps: int | None = None
    # Further keys of LoraConfig.
    options: dict = field(default_factory=dict)
    # PEFT merges what is tied into both, and a bias of B into a bias alone; other cases it merges as we do.
    merges: bool = True
    # Options of LoRA+, by PEFT's names.
    loraplus: dict[str, float] | None = None

    @property
    def takes_from_base(self) -> bool:
        """Whether A and B are taken out of the base at first."""
        return str(self.options.get("init_lora_weights")).startswith(("pissa", "olora"))


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


def variant(name: str, target_modules: list[str] | str, *, merges: bool = True, rank: int = 4, **options) -> Case:
    """A case of one option: few steps show whether it is computed alike."""
    return Case(name, target_modules, rank=rank, alpha=6, steps=5, options=options, merges=merges)


# On any model; `linear` are two layers of each block, `embedding` and `head` the ends of the model.
def variants(linear: list[str], embedding: str, head: str, tied: bool) -> list[Case]:
    return [
        variant("dora", linear, use_dora=True),
        variant("dora-rslora-patterns", linear, use_dora=True, use_rslora=True, rank_pattern={linear[0]: 2},
                alpha_pattern={linear[1]: 3}),
        variant("embedding", [embedding, linear[0]], merges=not tied),
        variant("embedding-dora", [embedding, linear[0]], use_dora=True, merges=not tied),
        variant("embedding-regex", rf".*({embedding}|{linear[0]})", merges=not tied),
        variant("head", [head, linear[1]], merges=not tied),
        variant("head-dora", [head], use_dora=True, merges=not tied),
        variant("embedding-and-head", [embedding, head], merges=not tied),
        variant("lora-bias", linear, lora_bias=True, merges=False),
        variant("save-head", linear, modules_to_save=[head]),
        variant("save-embedding", linear, modules_to_save=[embedding]),
        variant("save-both", linear, modules_to_save=[embedding, head]),
        variant("tokens", linear, trainable_token_indices=[7, 250, 3]),
        variant("tokens-by-name", linear, trainable_token_indices={embedding: [7, 250, 3], head: [9, 7]}, merges=not tied),
        variant("orthogonal", linear, init_lora_weights="orthogonal"),
        variant("gaussian", linear, init_lora_weights="gaussian"),
        variant("pissa", linear, init_lora_weights="pissa"),
        variant("pissa-dora-rslora", linear, init_lora_weights="pissa", use_dora=True, use_rslora=True),
        variant("some-layers", linear, layers_to_transform=[1], exclude_modules=[linear[1]]),
        variant("all-linear-but", "all-linear", exclude_modules=[linear[1]]),
    ]


LLAMA = ["q_proj", "down_proj"]
OLORA = [variant("olora", LLAMA, init_lora_weights="olora"),
         variant("olora-dora", LLAMA, init_lora_weights="olora", use_dora=True)]
TIED = [
    variant("tied-save", LLAMA, modules_to_save=["embed_tokens"], ensure_weight_tying=True),
    variant("tied-save-by-head", LLAMA, modules_to_save=["lm_head", "model.norm"], ensure_weight_tying=True),
    variant("tied-tokens", LLAMA, trainable_token_indices=[5, 6], ensure_weight_tying=True),
]
LORAPLUS = Case(
    "loraplus", ["embed_tokens", *LLAMA], rank=4, steps=5, options={"use_dora": True},
    loraplus={"loraplus_lr_ratio": 16.0, "loraplus_lr_embedding": 1e-2, "loraplus_weight_decay": 0.01},
)
BIASES = ["q_proj", "v_proj", "o_proj"]

LORA_CASES: dict[str, list[Case]] = {
    "smollm2-135m": [QV],
    "tiny-llama2": [
        QV,
        Case("all-linear-rslora", ALL_LLAMA, use_rslora=True),
        *variants(LLAMA, "embed_tokens", "lm_head", tied=False),
        *OLORA,
        LORAPLUS,
        variant("save-block-parts", ["q_proj"], modules_to_save=["mlp", "model.norm"]),
    ],
    "tiny-llama3": [QV, CLIPPED, PATTERNS, *variants(LLAMA, "embed_tokens", "lm_head", tied=True), *OLORA, *TIED],
    "tiny-mistral": [QV],
    "tiny-qwen2": [
        QV,
        variant("bias-all", BIASES, bias="all"),
        variant("bias-of-adapted", BIASES, bias="lora_only"),
        variant("bias-dora", BIASES, bias="lora_only", use_dora=True),
        variant("lora-bias-merged", ["q_proj", "v_proj"], lora_bias=True),
        variant("lora-bias-and-bias", ["q_proj", "v_proj"], lora_bias=True, bias="all"),
    ],
    "tiny-qwen3": [QV],
    "tiny-smollm": [QV],
    "tiny-pythia": [
        Case("query_key_value", ["query_key_value"]),
        Case("all-linear", ["query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h"]),
        variant("dora", ["query_key_value", "dense_4h_to_h"], use_dora=True),
        variant("bias-all", ["query_key_value"], bias="all", lora_bias=True),
        variant("embedding", ["embed_in", "dense"]),
        variant("tokens-and-module", ["query_key_value"], trainable_token_indices=[3, 5], modules_to_save=["layers.1.mlp"]),
        variant("pissa", ["dense"], init_lora_weights="pissa"),
    ],
    "tiny-gpt2": [
        Case("c_attn", ["c_attn"], fan_in_fan_out=True),
        Case("all-linear", ALL_GPT2, fan_in_fan_out=True),
        Case("all-linear-rslora", ALL_GPT2, fan_in_fan_out=True, use_rslora=True),
        *variants(["c_attn", "mlp.c_proj"], "wte", "lm_head", tied=True),
        variant("positions", ["wpe", "wte"], merges=False),
        variant("position-tokens", ["c_attn"], trainable_token_indices={"wpe": [0, 2], "wte": [4]}),
        variant("bias-all", ["c_attn"], bias="all"),
        variant("bias-of-adapted", ["c_attn", "c_fc"], bias="lora_only"),
        variant("bias-dora", ["c_attn", "c_fc"], bias="all", use_dora=True),
        variant("lora-bias-merged", ["c_attn", "c_fc"], lora_bias=True),
        variant("save-block-parts", ["c_attn"], modules_to_save=["mlp", "ln_f"]),
    ],
}


def make_adapter(base, case: Case, initial: Path | None = None):
    """PEFT's adapter with values fixed by a seed. B is not zero: at zero, A would have no gradient. Nothing else stays
    where it starts either.

    initial: where to leave the adapter as it is before that, for PEFT to convert a later one with.
    """
    torch.manual_seed(99)
    options = {"rank_pattern": case.rank_pattern, "alpha_pattern": case.alpha_pattern, **case.options}
    adapted = get_peft_model(
        base,
        LoraConfig(
            task_type="CAUSAL_LM",
            r=case.rank,
            lora_alpha=case.alpha,
            lora_dropout=0.0,
            target_modules=case.target_modules,
            use_rslora=options.pop("use_rslora", case.use_rslora),
            fan_in_fan_out=case.fan_in_fan_out,
            **options,
        ),
    )
    if initial is not None:
        config = adapted.peft_config["default"]
        start, config.init_lora_weights = config.init_lora_weights, True  # as PEFT wants it of the initial adapter
        adapted.save_pretrained(initial)
        config.init_lora_weights = start
    generator = torch.Generator().manual_seed(4321)
    keeps_start = case.takes_from_base or case.options.get("init_lora_weights") == "orthogonal"
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if not parameter.requires_grad:
                continue
            noise = torch.randn(parameter.shape, generator=generator) * 0.02
            if ".lora_A." in name and not keeps_start:
                bound = parameter.shape[1] ** -0.5
                parameter.copy_((torch.rand(parameter.shape, generator=generator) * 2 - 1) * bound)
            elif ".lora_B." in name and name.endswith("weight") and not keeps_start:
                parameter.copy_(noise)
            else:
                parameter.add_(noise)
    return adapted.eval()


def trainable(adapted) -> dict[str, list[int]]:
    return {plain_name(name): list(p.shape) for name, p in adapted.named_parameters() if p.requires_grad}


def plain_name(name: str) -> str:
    """PEFT's name in memory -> ours: its name on disk without 'base_model.model.', weights of the base by their own names."""
    name = name.removeprefix("base_model.model.").replace(".base_layer.", ".").replace(".modules_to_save.default.", ".")
    name = name.replace("lora_magnitude_vector.default.weight", "lora_magnitude_vector")
    return name.replace(".default.", ".").removesuffix(".default")


# What is put together: two adapters of one rank that share some layers and not others, and one of another rank.
COMBINED = {
    "tiny-llama2": (["embed_tokens", "q_proj", "down_proj"], ["q_proj", "v_proj", "embed_tokens"]),
    "tiny-gpt2": (["c_attn", "wte"], ["c_attn", "mlp.c_proj"]),
}
COMBINATIONS: dict[str, dict] = {
    "linear": {},
    "cat": {},
    "svd": {},
    "svd-rank-2": {"combination_type": "svd", "svd_rank": 2},
    "ties": {"density": 0.6},
    "ties_svd": {"density": 0.6, "majority_sign_method": "frequency"},
    "magnitude_prune": {"density": 0.4},
    "magnitude_prune_svd": {"density": 0.4},
}
COMBINED_WEIGHTS = [0.7, -0.4]


def make_pair(base, name: str):
    """Two adapters 'a' and 'b' on one base, of other alphas, one with a scaling of its own for a layer."""
    targets = COMBINED[name]
    options = {"task_type": "CAUSAL_LM", "r": 4, "lora_dropout": 0.0}
    adapted = get_peft_model(base, LoraConfig(**options, target_modules=targets[0], lora_alpha=6), adapter_name="a")
    pattern = {targets[1][0]: 9}
    adapted.add_adapter("b", LoraConfig(**options, target_modules=targets[1], lora_alpha=3, alpha_pattern=pattern))
    generator = torch.Generator().manual_seed(77)
    with torch.no_grad():
        for parameter_name, parameter in adapted.named_parameters():
            if "lora_" in parameter_name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)
    return adapted.eval()
