"""What transformers makes of the questions, texts and chats that `dropbp evaluate` measures.

Writes test/.cache/evaluate/<model>.json. A choice is scored by the tokens that the whole text has behind those of its
context; figures are those of lm-evaluation-harness: acc takes the largest sum of log-probabilities, acc_norm the largest per
character, and their errors are the sample's standard deviation over √n.
"""

import json
import re
import statistics

from paths import CACHE, HERE, MODELS, ROOT, is_current, mark_current, stamp

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

OUT = ROOT / "test" / ".cache" / "evaluate"
QUESTIONS = ROOT / "packages" / "cli" / "test" / "fixtures" / "questions"
FORMS = ("arc", "hellaswag", "piqa", "mmlu")
CASES = {"smollm2-135m": None, "tiny-llama2": None, "tiny-gpt2": CACHE / "tiny-gpt2" / "lora"}
TIME = 24

TEXTS = [
    "The sea was calm, and the ship came home before night.",
    "A second text, which is longer than one sequence: it goes on and on, over hills and through valleys, until nobody "
    "remembers where it began, and then it ends.",
]
CHATS = [
    [{"role": "user", "content": "What is two plus two?"}, {"role": "assistant", "content": "Four."}],
    [
        {"role": "user", "content": "Name a colour."},
        {"role": "assistant", "content": "Blue."},
        {"role": "user", "content": "And another?"},
        {"role": "assistant", "content": "Green, like grass."},
    ],
]


def main() -> None:
    wanted = stamp(HERE / "evaluate_cases.py", *sorted(QUESTIONS.glob("*.jsonl")), *(MODELS / name / "made-by.sha256" for name in CASES if (MODELS / name / "made-by.sha256").is_file()))  # fmt: skip
    if is_current(OUT, wanted):
        print("evaluate cases: up to date")
        return
    OUT.mkdir(parents=True, exist_ok=True)
    write_lines("texts.jsonl", [{"text": text} for text in TEXTS])
    write_lines("chats.jsonl", [{"messages": messages} for messages in CHATS])
    for name, adapters in CASES.items():
        adapter = sorted(adapters.glob("*/adapter_end"))[0] if adapters else None
        (OUT / f"{name}.json").write_text(json.dumps(case(name, adapter)) + "\n")
        print(f"evaluate: {name}")
    mark_current(OUT, wanted)


def write_lines(name: str, rows: list) -> None:
    (OUT / name).write_text("".join(json.dumps(row) + "\n" for row in rows))


def case(name: str, adapter) -> dict:
    tokenizer = AutoTokenizer.from_pretrained(MODELS / name)
    model = AutoModelForCausalLM.from_pretrained(MODELS / name, dtype=torch.float32).eval()
    if adapter:
        model = PeftModel.from_pretrained(model, adapter).eval()
    result = {
        "adapter": adapter and str(adapter.relative_to(ROOT)),
        "questions": {form: questions(model, tokenizer, form) for form in FORMS},
        "texts": perplexity(model, [(ids, [True] * len(ids)) for text in TEXTS for ids in windows(tokenizer, text)]),
    }
    if tokenizer.chat_template:
        result["chats"] = perplexity(model, [answers(tokenizer, messages) for messages in CHATS])
    return result


def log_probabilities(model, ids: list[int]) -> torch.Tensor:
    """Of each token but the first, given those before it."""
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids[:-1]])).logits[0].double()
    return torch.log_softmax(logits, -1).gather(1, torch.tensor(ids[1:])[:, None])[:, 0]


def questions(model, tokenizer, form: str) -> dict:
    rows = [json.loads(line) for line in (QUESTIONS / f"{form}.jsonl").read_text().splitlines()]
    longest = model.config.max_position_embeddings + 1
    asked = [globals()[form](row) for row in rows]
    scores = []
    for context, choices, _ in asked:
        behind = len(tokenizer(context)["input_ids"])
        own = []
        for choice in choices:
            ids = tokenizer(f"{context} {choice}")["input_ids"]
            counted = len(ids) - behind
            own.append(log_probabilities(model, ids[-longest:])[-counted:].sum().item())
        scores.append(own)
    right = [best(own) == gold for own, (_, _, gold) in zip(scores, asked)]
    by_length = [
        best([score / len(choice) for score, choice in zip(own, choices)]) == gold
        for own, (_, choices, gold) in zip(scores, asked)
    ]
    return {"scores": scores, "acc": accuracy(right), "accNorm": accuracy(by_length)}


def best(scores: list[float]) -> int:
    return scores.index(max(scores))


def accuracy(right: list[bool]) -> dict:
    values = [float(value) for value in right]
    return {"value": statistics.mean(values), "standardError": statistics.stdev(values) / len(values) ** 0.5}


def arc(row: dict) -> tuple[str, list[str], int]:
    choices = row["choices"]
    return f"Question: {row['question']}\nAnswer:", choices["text"], choices["label"].index(row["answerKey"])


def hellaswag(row: dict) -> tuple[str, list[str], int]:
    def clean(text: str) -> str:
        return re.sub(r"\[.*?\]", "", text.strip().replace(" [title]", ". ")).replace("  ", " ")

    context = clean(f"{row['activity_label']}: {row['ctx_a']} {row['ctx_b'].capitalize()}")
    return context, [clean(ending) for ending in row["endings"]], int(row["label"])


def piqa(row: dict) -> tuple[str, list[str], int]:
    return f"Question: {row['goal']}\nAnswer:", [row["sol1"], row["sol2"]], row["label"]


def mmlu(row: dict) -> tuple[str, list[str], int]:
    subject = row["subject"].replace("_", " ")
    listed = "\n".join(f"{letter}. {choice}" for letter, choice in zip("ABCD", row["choices"]))
    lead = f"The following are multiple choice questions (with answers) about {subject}.\n\n"
    return f"{lead}{row['question'].strip()}\n{listed}\nAnswer:", list("ABCD"), row["answer"]


def windows(tokenizer, text: str) -> list[list[int]]:
    ids = tokenizer(text)["input_ids"] + [tokenizer.eos_token_id]
    return [ids[start : start + TIME] for start in range(0, len(ids), TIME)]


def answers(tokenizer, messages: list[dict]) -> tuple[list[int], list[bool]]:
    def ids(count: int, prompt: bool) -> list[int]:
        text = tokenizer.apply_chat_template(messages[:count], add_generation_prompt=prompt, tokenize=False)
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    whole = ids(len(messages), False)
    counts = [False] * len(whole)
    for i, message in enumerate(messages):
        if message["role"] == "assistant":
            start, end = len(ids(i, True)), len(ids(i + 1, False))
            counts[start:end] = [True] * (end - start)
    return whole, counts


def perplexity(model, sequences: list[tuple[list[int], list[bool]]]) -> dict:
    total, tokens = 0.0, 0
    for ids, counts in sequences:
        if len(ids) < 2:
            continue
        mask = torch.tensor(counts[1:])
        total -= log_probabilities(model, ids)[mask].sum().item()
        tokens += int(mask.sum())
    return {"tokens": tokens, "loss": total / tokens}


if __name__ == "__main__":
    main()
