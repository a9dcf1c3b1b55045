"""What transformers makes of conversations: text, tokens, and which of them the assistant wrote.

Writes test/.cache/chats/<tokenizer>.json, for several tokenizers and chat templates. Where a template does not mark answers
(`{% generation %}`), an answer is what the whole adds between the conversation up to it, with the prompt for an answer, and
the conversation with it; its tokens are found by the tokenizer's offsets.
"""

import json
import random
import re
from datetime import datetime

from paths import HERE, MODELS, ROOT, is_current, mark_current, stamp, versions

from chat_templates import SPECIAL, TEMPLATES
from jinja2.exceptions import TemplateError
from tokenizers import AddedToken, Tokenizer
from transformers import PreTrainedTokenizerFast
from varied_strings import varied_strings

OUT = ROOT / "test" / ".cache" / "chats"
FIXTURES = ROOT / "packages" / "data" / "test" / "fixtures" / "tokenizers.json"
SMOLLM2 = MODELS / "smollm2-135m"
FAMILIES = ("llama2", "llama2-metaspace", "llama3", "qwen2", "gpt2-prefix-space")
CONVERSATIONS = 80

TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": 'The weather, "now" – ☕',
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}},
    },
}


def main() -> None:
    scripts = [HERE / name for name in ("chat_cases.py", "chat_templates.py", "varied_strings.py")]
    wanted = stamp(*scripts, FIXTURES, SMOLLM2 / "tokenizer.json")
    if is_current(OUT, wanted):
        print("chat cases: up to date")
        return
    OUT.mkdir(parents=True, exist_ok=True)
    families = json.loads(FIXTURES.read_text())["families"]
    tokenizers = {name: Tokenizer.from_str(json.dumps(families[name]["tokenizer"])) for name in FAMILIES}
    tokenizers["smollm2"] = Tokenizer.from_file(str(SMOLLM2 / "tokenizer.json"))
    for name, tokenizer in tokenizers.items():
        write_cases(name, tokenizer)
    mark_current(OUT, wanted)


def write_cases(name: str, raw: Tokenizer) -> None:
    raw.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in SPECIAL])
    names = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, **names)
    templates = dict(TEMPLATES)
    if name == "smollm2":
        templates["smollm2"] = (SMOLLM2 / "chat_template.jinja").read_text()
    cases = []
    for number, (messages, tools) in enumerate(conversations()):
        for template_name, template in templates.items():
            cases.append({"template": template_name, "messages": messages, "tools": tools})
            cases[-1].update(case(tokenizer, template, messages, tools, with_prompt=number % 4 == 0))
    report = {
        "tokenizer": json.loads(raw.to_str()),
        "config": names,
        "templates": templates,
        "date": datetime.now().isoformat(),
        "versions": versions(),
        "cases": cases,
    }
    (OUT / f"{name}.json").write_text(json.dumps(report) + "\n")
    counts = {key: sum(key in case for case in cases) for key in ("error", "unstable", "mask")}
    print(f"{name}: {len(cases)} conversations, {counts}")


def case(tokenizer: PreTrainedTokenizerFast, template: str, messages: list, tools: list | None, with_prompt: bool) -> dict:
    def text(count: int, prompt: bool) -> str:
        return tokenizer.apply_chat_template(
            messages[:count], tools=tools, chat_template=template, add_generation_prompt=prompt, tokenize=False
        )

    try:
        whole = text(len(messages), False)
        marked = tokenizer.apply_chat_template(
            messages, tools=tools, chat_template=template, return_dict=True, return_assistant_tokens_mask=True
        )
    except (TemplateError, TypeError) as error:
        return {"error": str(error)}
    result = {"text": whole, "ids": list(marked["input_ids"])}
    if with_prompt:
        result["prompted"] = text(len(messages), True)
    if "{%- generation" in template:
        return result | {"mask": marked["assistant_masks"]}
    spans = []
    for i, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        try:
            before, after = text(i, True), text(i + 1, False)
        except (TemplateError, TypeError):
            return result | {"unstable": True}
        if not (whole.startswith(before) and whole.startswith(after)):
            return result | {"unstable": True}
        spans.append((len(before), len(after)))
    encoding = tokenizer(whole, add_special_tokens=False, return_offsets_mapping=True)
    assert encoding["input_ids"] == result["ids"]
    mask = [0] * len(result["ids"])
    for token, (start, end) in enumerate(encoding["offset_mapping"]):
        first = next((span for span in spans if start < span[1]), None)
        mask[token] = int(first is not None and end > first[0])
    return result | {"mask": mask}


def conversations() -> list[tuple[list[dict], list | None]]:
    generator = random.Random(5)
    # A text that spells a special token becomes it, in transformers too. Two marks of our own are not for texts; and of
    # combining marks that are newer than its tables, the tokenizers' NFC knows no order.
    strings = [text for text in varied_strings(["<|im_end|>", "[INST]"]) if not re.search("[\ufdd0\ufdd1\u1ab0-\u1aff]", text)]
    result = []
    for number in range(CONVERSATIONS):
        messages = [{"role": "system", "content": generator.choice(strings)}] if number % 3 == 0 else []
        for turn in range(generator.randint(1, 4)):
            messages.append({"role": "user", "content": generator.choice(strings)})
            messages.append({"role": "assistant", "content": generator.choice(strings)})
            if number % 5 == 0:
                messages[-1]["reasoning_content"] = generator.choice(strings)
            if number % 7 == 0 and turn == 0:
                arguments = {"city": generator.choice(strings), "days": 3, "more": [1.5, None, True, {"é": "☕"}]}
                messages[-1]["tool_calls"] = [{"type": "function", "function": {"name": "weather", "arguments": arguments}}]
                messages.append({"role": "tool", "content": '{"sunny": true}'})
        if number % 6 == 1:
            messages.pop()
        result.append((messages, [TOOL] if number % 7 == 0 else None))
    return result


if __name__ == "__main__":
    main()
