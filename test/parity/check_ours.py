"""Reads with PEFT or transformers what our library saved, and compares logits.

    python check_ours.py <base model folder> <saved folder> <expected.json>
    python check_ours.py --all       every folder of test/.cache/ours, as {saved/, expected.json}

The saved folder holds an adapter (adapter_config.json) or a whole checkpoint (config.json). expected.json is
{"base": folder, "prompts": [{"tokens": [...], "logits": [... flat]}]}. Prints one line a check; fails if one fails.
"""

import json
import sys
import warnings
from pathlib import Path

from paths import ENCODERS, ROOT

import torch
from peft import PeftModel, get_peft_model_state_dict
from safetensors import safe_open
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
)

OURS = ROOT / "test" / ".cache" / "ours"
# Of a logit, absolute and as a share of the largest one: float32 rounds the logits of a real model, up to 40, more coarsely.
TOLERANCE = 1e-4
SHARE = 5e-6


def main(arguments: list[str]) -> None:
    if arguments == ["--all"]:
        cases = [
            (folder.name, Path(json.loads((folder / "expected.json").read_text())["base"]), folder / "saved")
            for folder in sorted(file.parent for file in OURS.glob("*/expected.json"))
        ]
        if not cases:
            sys.exit(f"nothing to check in {OURS}: run the parity suite first")
        expected = [OURS / name / "expected.json" for name, _, _ in cases]
    elif len(arguments) == 3:
        base, saved, file = map(Path, arguments)
        cases, expected = [(saved.name, base, saved)], [file]
    else:
        sys.exit(__doc__)

    results = [check(*case, file) for case, file in zip(cases, expected, strict=True)]
    print(f"check_ours: {sum(results)} of {len(results)} agree")
    if not all(results):
        sys.exit(1)


def check(name: str, base: Path, saved: Path, expected: Path) -> bool:
    try:
        worst, largest = compare(load(base, saved), json.loads(expected.read_text())["prompts"])
        agrees = worst < max(TOLERANCE, SHARE * largest)
        state = "ok  " if agrees else "FAIL"
        print(f"{state} {name}: largest difference of a logit {worst:.2e}, largest logit {largest:.1f}", flush=True)
    except Exception as error:  # noqa: BLE001 - whatever Python's libraries refuse is the result of the check
        agrees = False
        print(f"FAIL {name}: {type(error).__name__}: {error}", flush=True)
    return agrees


HEADS = {
    "ForSequenceClassification": AutoModelForSequenceClassification,
    "ForTokenClassification": AutoModelForTokenClassification,
}


def class_for(saved: Path, base: Path):
    """The class for what was saved, and how to load a base with its head: config.json names both, beside an adapter too."""
    file = saved / "config.json"
    config = json.loads(file.read_text()) if file.is_file() else {}
    architecture = (config.get("architectures") or [""])[0]
    for end, cls in HEADS.items():
        if architecture.endswith(end):
            return cls, {"config": AutoConfig.from_pretrained(saved)}
    kind = json.loads((base / "config.json").read_text())["model_type"]
    return (AutoModel if kind in ENCODERS else AutoModelForCausalLM), {}


def load(base: Path, saved: Path):
    if (saved / "adapter_config.json").is_file():
        return load_adapter(base, saved)
    model, info = class_for(saved, saved)[0].from_pretrained(saved, dtype=torch.float32, output_loading_info=True)
    wrong = {key: sorted(map(str, found)) for key, found in info.items() if found}
    if wrong:
        raise ValueError(f"transformers reports {wrong}")
    return model.eval()


def load_adapter(base: Path, saved: Path):
    cls, options = class_for(saved, base)
    model = cls.from_pretrained(base, dtype=torch.float32, **options)
    with warnings.catch_warnings():
        # PEFT only warns of adapter keys it misses and of config values it does not know.
        warnings.filterwarnings("error", message=".*missing adapter keys|.*Unexpected keyword arguments")
        adapted = PeftModel.from_pretrained(model, str(saved))
    with safe_open(saved / "adapter_model.safetensors", "pt") as file:
        found = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}
    wanted = {name: tuple(tensor.shape) for name, tensor in get_peft_model_state_dict(adapted).items()}
    # Loading is silent about keys that PEFT does not expect.
    if found != wanted:
        missing, unexpected = sorted(wanted.keys() - found.keys()), sorted(found.keys() - wanted.keys())
        raise ValueError(f"missing {missing[:5]}, unexpected {unexpected[:5]}, or of another shape")
    return adapted.eval()


def compare(model, prompts: list[dict]) -> tuple[float, float]:
    """The largest difference of a logit, and the largest logit."""
    if not prompts:
        raise ValueError("no prompts")
    worst = largest = 0.0
    for prompt in prompts:
        with torch.no_grad():
            # PEFT gives logits of virtual tokens too, in front.
            result = model(torch.tensor([prompt["tokens"]]))
        actual = result.logits if "logits" in result else result.last_hidden_state
        # A classifier of texts gives one row of logits.
        actual = (actual if actual.ndim == 2 else actual[:, -len(prompt["tokens"]) :]).flatten()
        ours = torch.tensor(prompt["logits"])
        if ours.shape != actual.shape or not ours.isfinite().all():
            raise ValueError(f"ours are {tuple(ours.shape)} values, some not finite; expected {tuple(actual.shape)}")
        worst = max(worst, (actual - ours).abs().max().item())
        largest = max(largest, actual.abs().max().item())
    return worst, largest


if __name__ == "__main__":
    main(sys.argv[1:])
