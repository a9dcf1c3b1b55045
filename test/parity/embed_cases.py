"""What sentence-transformers makes of texts, and its losses and gradients, with a small decoder as embedder.

Writes test/.cache/embed/<model>: the folder of sentence-transformers, reference.json, and the gradients of each objective at its
first step. Everything is float32 and without dropout. Does nothing when these are up to date.
"""

import json
import shutil
from pathlib import Path

from paths import HERE, MODELS, ROOT, is_current, mark_current, stamp, versions

import torch
from safetensors.torch import save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import losses
from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer

OUT = ROOT / "test" / ".cache" / "embed"
NAME = "tiny-smollm"
STEPS, RATE = 5, 0.005
MODES = ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]
TEXTS = [
    "a",
    "The quick brown fox jumps over the lazy dog.",
    "It is a truth universally acknowledged.",
    "naïve café, 2024!",
    "Who is it?\nIt is he.",
    "word " * 60,
]
GROUPS = [
    ["Who wrote it?", "Jane Austen wrote it.", "The cat sleeps."],
    ["Where is the ball?", "The ball is at Netherfield.", "He is rich."],
    ["What does the dog do?", "The dog barks at night.", "Snow falls."],
    ["How old is she?", "She is not one-and-twenty.", "The sun shines on the sea."],
]
SCORES = [0.9, 0.2, 0.7, 0.4]


def main() -> None:
    out = OUT / NAME
    wanted = stamp(HERE / "embed_cases.py", MODELS / NAME / "config.json", MODELS / NAME / "model.safetensors")
    if is_current(out, wanted):
        print("embed cases: up to date")
        return
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    model = embedder("mean")
    model.save(str(out / "model"))
    reference = {
        "versions": versions(),
        "texts": TEXTS,
        "embeddings": vectors(model),
        "pooled": [{"mode": mode, "embeddings": vectors(embedder(mode, plain=True))} for mode in MODES],
        "groups": GROUPS,
        "scores": SCORES,
        "rate": RATE,
        "cases": [case(out, name, dropped) for name in objectives() for dropped in (False, True)],
    }
    (out / "reference.json").write_text(json.dumps(reference) + "\n")
    mark_current(out, wanted)
    print(f"embed {NAME}: made")


def embedder(mode: str, plain: bool = False) -> SentenceTransformer:
    torch.manual_seed(3)
    transformer = Transformer(str(MODELS / NAME), max_seq_length=32, model_kwargs={"dtype": torch.float32})
    if transformer.tokenizer.pad_token is None:
        transformer.tokenizer.pad_token = transformer.tokenizer.eos_token
    transformer.tokenizer.padding_side = "right"
    width = transformer.get_embedding_dimension()
    modules = [transformer, Pooling(width, mode)]
    if not plain:
        modules += [Dense(width, 16), Normalize()]
    return SentenceTransformer(modules=modules, device="cpu", prompts={"query": "query: "}).eval()


def vectors(model: SentenceTransformer) -> list[list[float]]:
    return model.encode(TEXTS).tolist()


def objectives() -> dict:
    """Name: columns, and the loss of a model."""
    return {
        "multipleNegativesRanking": (2, losses.MultipleNegativesRankingLoss),
        "hardNegatives": (3, losses.MultipleNegativesRankingLoss),
        "matryoshka": (2, lambda m: losses.MatryoshkaLoss(m, losses.MultipleNegativesRankingLoss(m), [16, 4])),
        "cosineSimilarity": (2, losses.CosineSimilarityLoss),
        "coSent": (2, losses.CoSENTLoss),
        "triplet": (3, losses.TripletLoss),
    }


def case(out: Path, name: str, dropped: bool) -> dict:
    columns, make = objectives()[name]
    model = embedder("mean")
    loss_of = make(model)
    inner = model[0].auto_model
    # A dropped branch gives x + f(x).detach(): every third one.
    branches = [branch for layer in inner.layers for branch in (layer.self_attn, layer.mlp)]
    pattern = [dropped and i % 3 == 1 for i in range(len(branches))]
    for branch, drop in zip(branches, pattern, strict=True):
        if drop:
            branch.register_forward_hook(detach)
    parameters = {f"model.{name}": parameter for name, parameter in inner.named_parameters()}
    found = []
    for step in range(STEPS):
        features = [model.preprocess([group[column] for group in GROUPS]) for column in range(columns)]
        loss = loss_of(features, torch.tensor(SCORES))
        model.zero_grad()
        loss.backward()
        found.append(loss.item())
        gradients = {name: p.grad.contiguous() for name, p in parameters.items() if p.grad is not None}
        if step == 0:
            file = f"{name}.{'dropped' if dropped else 'whole'}.safetensors"
            save_file({name: gradient.clone() for name, gradient in gradients.items()}, out / file)
        with torch.no_grad():
            for name_, gradient in gradients.items():
                parameters[name_] -= RATE * gradient
    return {"objective": name, "columns": columns, "dropped": pattern, "losses": found, "gradients": file}


def detach(_module, _inputs, output):
    return (output[0].detach(), *output[1:]) if isinstance(output, tuple) else output.detach()


if __name__ == "__main__":
    main()
