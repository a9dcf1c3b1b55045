"""What transformers and PEFT make of classifiers of texts and tokens on tiny models.

Writes test/.cache/classify/<case>: adapter/ as PEFT saves it, with its head; gradients.safetensors by our names; and case.json
with the batch, its logits, the loss, and the losses of 20 steps of plain gradient descent. In the case 'dropped' some branches
run without a backward pass, as in DropBP.
"""

import json

from paths import HERE, MODELS, ROOT, is_current, mark_current, stamp

import torch
from dropped import detach
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification

OUT = ROOT / "test" / ".cache" / "classify"
ROWS, TIME, STEPS = 4, 9, 20
LENGTHS = (9, 5, 7, 3)
# name: model, task, number of labels, problem_type, dropped branches
CASES = {
    "single": ("tiny-llama2", "SEQ_CLS", 3, "single_label_classification", []),
    "multiple": ("tiny-llama2", "SEQ_CLS", 4, "multi_label_classification", []),
    "regression": ("tiny-llama2", "SEQ_CLS", 1, "regression", []),
    "gpt2": ("tiny-gpt2", "SEQ_CLS", 3, "single_label_classification", []),
    "dropped": ("tiny-llama2", "SEQ_CLS", 3, "single_label_classification", [1, 2]),
    "tokens": ("tiny-llama2", "TOKEN_CLS", 3, None, []),
    "gpt2-tokens": ("tiny-gpt2", "TOKEN_CLS", 3, None, []),
}
CLASSES = {"SEQ_CLS": AutoModelForSequenceClassification, "TOKEN_CLS": AutoModelForTokenClassification}


def main() -> None:
    bases = sorted({base for base, *_ in CASES.values()})
    wanted = stamp(HERE / "classify_cases.py", *(file for base in bases if (file := MODELS / base / "made-by.sha256").is_file()))
    if is_current(OUT, wanted):
        print("classify cases: up to date")
        return
    for name, case in CASES.items():
        make(name, *case)
        print(f"classify: {name}")
    mark_current(OUT, wanted)


def make(name: str, base: str, task: str, count: int, problem: str | None, dropped: list[int]) -> None:
    torch.manual_seed(7)
    more = {} if problem is None else {"problem_type": problem}
    plain = CLASSES[task].from_pretrained(MODELS / base, num_labels=count, pad_token_id=0, dtype=torch.float32, **more)
    head = plain.score if hasattr(plain, "score") else plain.classifier
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    targets = ["c_attn"] if base == "tiny-gpt2" else ["q_proj", "v_proj", "down_proj"]
    options = {"r": 4, "lora_alpha": 8, "target_modules": targets, "fan_in_fan_out": base == "tiny-gpt2"}
    model = get_peft_model(plain, LoraConfig(task_type=task, init_lora_weights=False, **options)).eval()
    folder = OUT / name
    model.save_pretrained(folder / "adapter")
    for index in dropped:
        branches(model)[index].register_forward_hook(detach)

    ids = torch.randint(1, 320, (ROWS, TIME))
    mask = torch.tensor([[1 if t < length else 0 for t in range(TIME)] for length in LENGTHS])
    ids = ids * mask
    labels = labels_of(task, count, problem, mask)
    batch = {"input_ids": ids, "attention_mask": mask, "labels": labels}
    result = model(**batch)
    result.loss.backward()
    gradients = {our_name(key): p.grad.contiguous() for key, p in model.named_parameters() if p.grad is not None}
    save_file(gradients, folder / "gradients.safetensors")
    rate = 0.002 if problem == "regression" else 0.05  # its gradients are large
    case = {
        "model": base,
        "task": task,
        "problem": problem,
        "dropped": dropped,
        "inputIds": ids.tolist(),
        "attentionMask": mask.tolist(),
        "labels": labels.tolist(),
        "logits": result.logits.tolist(),
        "loss": result.loss.item(),
        "rate": rate,
        "losses": train(model, batch, rate),
    }
    (folder / "case.json").write_text(json.dumps(case) + "\n")


def labels_of(task: str, count: int, problem: str | None, mask: torch.Tensor) -> torch.Tensor:
    if task == "TOKEN_CLS":
        return torch.where((mask == 1) & (torch.rand(mask.shape) < 0.8), torch.randint(0, count, mask.shape), -100)
    if problem == "regression":
        return torch.randn(ROWS)
    if problem == "multi_label_classification":
        return torch.randint(0, 2, (ROWS, count)).float()
    return torch.randint(0, count, (ROWS,))


def branches(model) -> list[torch.nn.Module]:
    return [branch for layer in model.base_model.model.model.layers for branch in (layer.self_attn, layer.mlp)]


def our_name(key: str) -> str:
    return key.removeprefix("base_model.model.").replace(".modules_to_save.default", "").replace(".default", "")


def train(model, batch: dict, rate: float) -> list[float]:
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=rate)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = model(**batch).loss
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    main()
