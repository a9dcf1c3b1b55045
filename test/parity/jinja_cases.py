"""What Jinja2 writes for 20,000 random templates: test/.cache/jinja/cases.json. Does nothing when it is up to date."""

import json
import sys
import warnings
from pathlib import Path

from paths import ROOT, is_current, mark_current, stamp, versions

FIXTURES = ROOT / "packages" / "data" / "test" / "fixtures"
OUT = ROOT / "test" / ".cache" / "jinja"
SEED, COUNT = 24, 20_000

sys.path.insert(0, str(FIXTURES))

from make_jinja import VALUES, cases  # noqa: E402


def main() -> None:
    wanted = stamp(FIXTURES / "make_jinja.py", Path(__file__))
    if is_current(OUT, wanted):
        print("jinja cases: up to date")
        return
    OUT.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore", SyntaxWarning)
    made = cases(SEED, COUNT)
    (OUT / "cases.json").write_text(json.dumps({"versions": versions(), "values": VALUES, "cases": made}) + "\n")
    mark_current(OUT, wanted)
    print(f"jinja: {len(made)} templates, {sum('error' in case for case in made)} of them errors")


if __name__ == "__main__":
    main()
