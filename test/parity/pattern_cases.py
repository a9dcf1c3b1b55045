"""What Python's `re` says of random expressions and names, as PEFT asks it: test/.cache/patterns/cases.json. Quick when up to date."""

import json
import random
import re
import signal
import warnings
from pathlib import Path

from paths import ROOT, is_current, mark_current, stamp

OUT = ROOT / "test" / ".cache" / "patterns"
COUNT = 20_000
NAMES = ["model.layers.0.self_attn.q_proj", "model.layers.11.mlp.up_proj", "h.3.attn.c_attn", "lm_head", "q_proj", "a.b.1.c", "aab.10.ab", "Ä.ß.2.x", "a\n", "x_1.y-2"]
ATOMS = ["a", "b", "q", "proj", "layers", r"\.", ".", r"\d", r"\w", r"\s", r"\D", r"\W", "[ab]", "[^a]", "[a-z_]", r"[\d.]", "[]x]", "[^]a-]", r"\x61", r"\141", "_", "self_attn", r"\b", r"\B", "^", "$", r"\A", r"\Z", "{", "{a", "{1", "é", r"\1", r"\2", "(?P=n)", "[z-a]", r"\q", r"[\b-]", "-", "]", "}"]  # fmt: skip
TIMES = ["", "", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,3}", "{,2}", "{2,}", "{1,2}?", "{3,1}", "{,}", "{}"]


def expression(source: random.Random, depth: int) -> str:
    parts = []
    for _ in range(source.randint(1, 4)):
        if depth > 0 and source.random() < 0.4:
            opening = source.choice(["(", "(", "(?:", "(?P<n>", "(?=", "(?!", "(?<=", "(?<!"])
            part = opening + expression(source, depth - 1) + ")"
        else:
            part = source.choice(ATOMS)
        parts.append(part + source.choice(TIMES))
    text = "".join(parts)
    return text + "|" + expression(source, depth - 1) if depth > 0 and source.random() < 0.2 else text


def answers(pattern: str) -> dict | None:
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        whole = [re.fullmatch(pattern, name) is not None for name in NAMES]
        key = [re.match(rf"(.*\.)?({pattern})$", name) is not None for name in NAMES]
        save = [re.match(rf"(^|.*\.){pattern}($|\..*)", name) is not None for name in NAMES]
        layers = []
        for name in NAMES:
            found = re.match(rf"(?:^|.*?\.){pattern}\.(?P<idx>\d+)\.", name)
            layers.append(found and found.groupdict()["idx"])
        return {"whole": whole, "key": key, "save": save, "layers": layers}
    except TooLong:
        return None  # Python itself takes exponential time
    except (re.error, OverflowError) as error:
        return {"error": str(error)}
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


class TooLong(Exception):
    pass


def give_up(*_) -> None:
    raise TooLong


def main() -> None:
    wanted = stamp(Path(__file__))
    if is_current(OUT, wanted):
        print("pattern cases: up to date")
        return
    OUT.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, give_up)
    source = random.Random(24)
    asked = ((pattern, answers(pattern)) for pattern in (expression(source, 2) for _ in range(COUNT)) if len(pattern) < 60)
    cases = [{"pattern": pattern, **answer} for pattern, answer in asked if answer is not None]
    (OUT / "cases.json").write_text(json.dumps({"names": NAMES, "cases": cases}) + "\n")
    mark_current(OUT, wanted)
    print(f"patterns: {len(cases)} expressions, {sum('error' in case for case in cases)} of them errors")


if __name__ == "__main__":
    main()
