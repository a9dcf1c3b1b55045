"""What a model is run and trained on: fixed prompts, a padded batch and training batches, as token ids."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer

# Pride and Prejudice, chapter 1 (public domain).
ENGLISH = """\
It is a truth universally acknowledged, that a single man in possession of a good fortune, must be in want of a wife.

However little known the feelings or views of such a man may be on his first entering a neighbourhood, this truth is so \
well fixed in the minds of the surrounding families, that he is considered the rightful property of some one or other \
of their daughters.

"My dear Mr. Bennet," said his lady to him one day, "have you heard that Netherfield Park is let at last?"

Mr. Bennet replied that he had not.

"But it is," returned she; "for Mrs. Long has just been here, and she told me all about it."

Mr. Bennet made no answer.

"Do you not want to know who has taken it?" cried his wife impatiently.

"You want to tell me, and I have no objection to hearing it."

This was invitation enough.

"Why, my dear, you must know, Mrs. Long says that Netherfield is taken by a young man of large fortune from the north \
of England; that he came down on Monday in a chaise and four to see the place, and was so much delighted with it, that \
he agreed with Mr. Morris immediately; that he is to take possession before Michaelmas, and some of his servants are to \
be in the house by the end of next week."
"""

PROMPTS = (
    "The capital of France is",
    "<|im_start|>user\nWhy is the sky blue?<|im_end|>\n<|im_start|>assistant\n",
    "def fibonacci(n):\n    if n < 2:\n        return n\n    return ",
)

IGNORED = -100


@dataclass(frozen=True)
class Schedule:
    """Linear warm-up, then a cosine to 0 (or a constant), with gradients clipped to a norm (or not)."""

    warmup_steps: int = 0
    cosine: bool = False
    max_grad_norm: float | None = None

    def factor(self, step: int, steps: int) -> float:
        """As transformers' get_cosine_schedule_with_warmup: step 0 of a warm-up has factor 0."""
        if step < self.warmup_steps:
            return step / max(1, self.warmup_steps)
        if not self.cosine:
            return 1.0
        progress = (step - self.warmup_steps) / max(1, steps - self.warmup_steps)
        return max(0.0, 0.5 * (1 + math.cos(math.pi * progress)))

    def describe(self) -> dict:
        return {
            "kind": "cosine" if self.cosine else "constant",
            "warmupSteps": self.warmup_steps,
            "maxGradNorm": self.max_grad_norm,
        }


CONSTANT = Schedule()


def adam_w() -> dict[str, float]:
    return {"learningRate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weightDecay": 0.01}


@dataclass(frozen=True)
class Task:
    prompts: list[list[int]]
    padded: tuple[list[list[int]], list[list[int]]]
    greedy_prompts: list[list[int]]
    greedy_tokens: int
    batches: list[tuple[list[list[int]], list[list[int]]]]
    decode: Callable[[list[int]], str]

    def loss(self, model, step: int) -> torch.Tensor:
        """The mean over the labels that count, labels shifted by one, batches taken in turn."""
        ids, labels = self.batches[step % len(self.batches)]
        return model(torch.tensor(ids), labels=torch.tensor(labels)).loss


def task_for(folder: Path) -> Task:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    encode = lambda text: tokenizer.encode(text, add_special_tokens=False).ids  # noqa: E731
    decode = lambda ids: tokenizer.decode(ids, skip_special_tokens=False)  # noqa: E731
    if json.loads((folder / "config.json").read_text())["vocab_size"] > 10_000:
        return english_task(encode, decode)
    return random_task(decode)


def english_task(encode, decode) -> Task:
    prompts = [encode(text) for text in PROMPTS]
    text = encode(ENGLISH)
    rows = [text[start : start + 64] for start in range(0, len(text) - 63, 64)][:4]
    assert len(rows) == 4
    return Task(
        prompts=prompts,
        padded=pad([prompts[0], prompts[2]], pad_id=2),
        greedy_prompts=[prompts[1]],
        greedy_tokens=40,
        batches=[([row], [row]) for row in rows],
        decode=decode,
    )


def random_task(decode, vocab: int = 320) -> Task:
    generator = torch.Generator().manual_seed(1234)
    draw = lambda *shape: torch.randint(1, vocab, shape, generator=generator).tolist()  # noqa: E731
    prompts = [draw(5), draw(17), draw(40)]
    batches = []
    for batch in range(4):
        ids = draw(2, 32)
        # Half a prompt that does not count in one row of every other batch, so that rows weigh differently.
        masked = 12 if batch % 2 == 1 else 0
        labels = [[IGNORED] * masked + ids[0][masked:], list(ids[1])]
        batches.append((ids, labels))
    return Task(
        prompts=prompts,
        padded=pad([prompts[0], prompts[1]], pad_id=0),
        greedy_prompts=draw(30, 7),
        greedy_tokens=20,
        batches=batches,
        decode=decode,
    )


def pad(rows: list[list[int]], pad_id: int) -> tuple[list[list[int]], list[list[int]]]:
    longest = max(len(row) for row in rows)
    ids = [row + [pad_id] * (longest - len(row)) for row in rows]
    mask = [[1] * len(row) + [0] * (longest - len(row)) for row in rows]
    return ids, mask
