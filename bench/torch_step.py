"""The twin of measureStep.ts: the same step, or the same generation, in PyTorch, transformers and PEFT.

    .venv/bin/python bench/torch_step.py --model test/.models/smollm2-135m [--method lora] [--dropped '["0101…", …]'] …

Prints a line of JSON. It is as strong as PyTorch from PyPI can be made without changing what is computed:
- all cores, float32, attention by scaled_dot_product_attention, the fused AdamW;
- frozen weights take no gradient;
- a dropped branch runs under torch.no_grad, norm included. The authors' library runs it recorded and cuts its output, which
  gives the same gradients for more time and memory; `--authors` does that, with their layer.
"""

import argparse
import json
import os
import resource
import statistics
import sys
import time as clock
from contextlib import nullcontext

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
os.environ["TQDM_DISABLE"] = "1"

import torch  # noqa: E402
from peft import LoraConfig, get_peft_model  # noqa: E402
from transformers import AutoModelForCausalLM  # noqa: E402
from transformers.models.llama.modeling_llama import LlamaDecoderLayer  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--method", choices=["lora", "lora-all", "full"], default="lora")
    parser.add_argument("--dropped", type=json.loads, default=None, help="for each step, the first included: '1' = dropped")
    parser.add_argument("--authors", default=None, help="a clone of WooSunghyeon/dropbp: drop as its layer does")
    parser.add_argument("--time", type=int, default=512)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=0)
    parser.add_argument("--prompt", type=int, default=0, help="tokens of each row that have no label")
    options = parser.parse_args()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32, attn_implementation="sdpa")
    measured = measure_tokens(model, options) if options.tokens > 0 else measure_steps(model, options)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**measured, "peakMB": peak_mb, "torch": torch.__version__}))


def token_rows(model, options) -> torch.Tensor:
    count = options.batch * options.time
    return ((torch.arange(count) * 7919 + 3) % model.config.vocab_size).reshape(options.batch, options.time)


def measure_steps(model, options) -> dict:
    dropping = make_droppable(model) if options.authors is None else with_authors_layer(model, options.authors)
    if options.method != "full":
        targets = "all-linear" if options.method == "lora-all" else ["q_proj", "v_proj"]
        config = LoraConfig(r=8, lora_alpha=16, lora_dropout=0.0, target_modules=targets)
        model = get_peft_model(model, config)
    model.train()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, weight_decay=0.01, fused=True)
    input_ids = token_rows(model, options)
    labels = input_ids.clone()
    labels[:, : options.prompt] = -100
    before = probe()
    seconds, first_loss = [], None
    for step in range(options.steps + 1):
        dropping.dropped = options.dropped[step] if options.dropped else ""
        started = clock.perf_counter()
        loss = model(input_ids=input_ids, labels=labels, use_cache=False).loss
        if loss.requires_grad:
            loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        value = loss.item()
        del loss
        seconds.append(clock.perf_counter() - started)
        if first_loss is None:
            first_loss = value
    return {
        "firstSeconds": seconds[0],
        "firstLoss": first_loss,
        "seconds": seconds[1:],
        "probe": [before, probe()],
    }


class Dropping:
    """What is dropped in this step: '1' or '0' for each branch, attention and MLP in turn; '' drops nothing."""

    dropped = ""

    def recording(self, branch: int):
        return torch.no_grad() if self.dropped[branch : branch + 1] == "1" else nullcontext()


def make_droppable(model) -> Dropping:
    """Replaces the forward of the decoder layers by one of the same maths that decides before each branch."""
    dropping = Dropping()

    def forward(self, hidden_states, **kwargs):
        first = 2 * self.self_attn.layer_idx
        with dropping.recording(first):
            attention, _ = self.self_attn(hidden_states=self.input_layernorm(hidden_states), **kwargs)
        hidden_states = hidden_states + attention
        with dropping.recording(first + 1):
            mlp = self.mlp(self.post_attention_layernorm(hidden_states))
        return hidden_states + mlp

    for layer in model.model.layers:
        if type(layer) is not LlamaDecoderLayer:
            raise TypeError(f"only Llama's layers are known here, not {type(layer).__name__}")
        layer.forward = forward.__get__(layer)
    return dropping


class AuthorsDropping:
    """The authors' layers behind the branches, each told to drop or to keep."""

    def __init__(self) -> None:
        self.layers = []

    @property
    def dropped(self) -> str:
        return "".join(str(int(layer.p)) for layer in self.layers)

    @dropped.setter
    def dropped(self, pattern: str) -> None:
        for i, layer in enumerate(self.layers):
            layer.p = 1 if pattern[i : i + 1] == "1" else 0


def with_authors_layer(model, clone: str) -> AuthorsDropping:
    """As the authors wire their layer into Llama: around what is added to the residual stream."""
    sys.path.insert(0, clone)
    from dropbp.layer import DropBP  # noqa: PLC0415

    dropping = AuthorsDropping()

    def forward(self, hidden_states, **kwargs):
        attention, _ = self.self_attn(hidden_states=self.input_layernorm(hidden_states), **kwargs)
        hidden_states = hidden_states + self.drop_attention(attention)
        return hidden_states + self.drop_mlp(self.mlp(self.post_attention_layernorm(hidden_states)))

    for layer in model.model.layers:
        if type(layer) is not LlamaDecoderLayer:
            raise TypeError(f"only Llama's layers are known here, not {type(layer).__name__}")
        layer.drop_attention, layer.drop_mlp = DropBP(flops=0), DropBP(flops=0)
        layer.forward = forward.__get__(layer)
        dropping.layers += [layer.drop_attention, layer.drop_mlp]
    return dropping


def measure_tokens(model, options) -> dict:
    """Greedy generation after a prompt of `time` tokens, the prompt's pass included."""
    model.eval()
    prompt = token_rows(model, options)

    def run(count: int) -> float:
        started = clock.perf_counter()
        with torch.no_grad():
            out = model.generate(
                prompt,
                attention_mask=torch.ones_like(prompt),
                max_new_tokens=count,
                min_new_tokens=count,
                do_sample=False,
                pad_token_id=0,
            )
        if out.shape[1] != prompt.shape[1] + count:
            raise RuntimeError(f"{out.shape[1] - prompt.shape[1]} tokens instead of {count}")
        return clock.perf_counter() - started

    before = probe()
    first = run(2)
    seconds = [run(options.tokens) for _ in range(options.steps)]
    return {"firstSeconds": first, "firstLoss": None, "seconds": seconds, "probe": [before, probe()]}


def probe() -> int:
    """GFLOPS of a product of square matrices: what the machine gives at this moment."""
    size = 1024
    a, b = torch.rand(size, size), torch.rand(size, size)
    speeds = []
    for _ in range(6):
        started = clock.perf_counter()
        torch.mm(a, b)
        speeds.append(2 * size**3 / (clock.perf_counter() - started) / 1e9)
    return round(statistics.median(speeds))


if __name__ == "__main__":
    main()
