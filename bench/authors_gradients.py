"""Gradients of a LoRA step with the authors' own layer, for authors.bench.ts to compare with ours.

    .venv/bin/python bench/authors_gradients.py --model test/.models/tiny-llama2 --authors <clone> --dropped '["0110…", …]' --out <folder>

Writes the adapter as PEFT saves it, with a B that is not zero, and a file of gradients for each pattern ('1' = dropped), by the
names of the adapter's file. Prints the losses.
"""

import argparse
import json
import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
os.environ["TQDM_DISABLE"] = "1"

import torch  # noqa: E402
from peft import LoraConfig, get_peft_model  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from torch_step import with_authors_layer  # noqa: E402
from transformers import AutoModelForCausalLM  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--authors", required=True)
    parser.add_argument("--dropped", type=json.loads, required=True)
    parser.add_argument("--time", type=int, default=32)
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32, attn_implementation="eager")
    dropping = with_authors_layer(model, options.authors)
    vocab = model.config.vocab_size
    targets = ["q_proj", "v_proj", "down_proj"]
    model = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, lora_dropout=0.0, target_modules=targets))
    generator = torch.Generator().manual_seed(1)
    for name, parameter in model.named_parameters():
        if ".lora_B." in name:
            parameter.data.copy_(0.05 * torch.randn(parameter.shape, generator=generator))
    model.save_pretrained(options.out)
    ids = ((torch.arange(2 * options.time) * 7919 + 3) % vocab).reshape(2, options.time)
    model.train()
    losses = []
    for i, pattern in enumerate(options.dropped):
        dropping.dropped = pattern
        model.zero_grad(set_to_none=True)
        loss = model(input_ids=ids, labels=ids, use_cache=False).loss
        if loss.requires_grad:
            loss.backward()
        losses.append(loss.item())
        gradients = {
            name.removeprefix("base_model.model.").replace(".default.", "."): parameter.grad.contiguous()
            for name, parameter in model.named_parameters()
            if parameter.grad is not None
        }
        save_file(gradients, os.path.join(options.out, f"gradients.{i}.safetensors"))
    print(json.dumps(losses))


if __name__ == "__main__":
    main()
