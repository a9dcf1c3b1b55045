"""Prints the logits of adapters on a base whose vocabulary transformers has resized, as PEFT loads them.

    .venv/bin/python test/parity/grown_vocabulary.py BASE TOKENS IDS ADAPTER...
"""

import json
import sys

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

base, tokens, ids, *adapters = sys.argv[1:]
logits = {}
for adapter in adapters:
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    model.resize_token_embeddings(int(tokens))
    with torch.no_grad():
        tuned = PeftModel.from_pretrained(model, adapter).eval()
        logits[adapter] = tuned(torch.tensor([json.loads(ids)])).logits.flatten().tolist()
print(json.dumps(logits))
