"""What Jinja2 writes for 2,000 random templates: test/.cache/jinja/cases.json. Does nothing when it is up to date.

A template that Jinja2 cannot write within a second is left out: we refuse it by our own limits.
"""

import json
import signal
import sys
import warnings
from pathlib import Path

from paths import ROOT, is_current, mark_current, stamp, versions

FIXTURES = ROOT / "packages" / "data" / "test" / "fixtures"
OUT = ROOT / "test" / ".cache" / "jinja"
SEED, COUNT = 24, 2_000

sys.path.insert(0, str(FIXTURES))

import make_jinja  # noqa: E402
from make_jinja import VALUES  # noqa: E402


class TooLong(BaseException):
    """Not an Exception, so that a template's own errors are told from it."""


def raise_too_long(*_: object) -> None:
    raise TooLong


def rendered_in_time(template: str) -> dict:
    signal.setitimer(signal.ITIMER_REAL, 1)
    try:
        return make_jinja_rendered(template)
    except TooLong:
        return {"tooLong": True}
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


make_jinja_rendered = make_jinja.rendered


def main() -> None:
    wanted = stamp(FIXTURES / "make_jinja.py", Path(__file__))
    if is_current(OUT, wanted):
        print("jinja cases: up to date")
        return
    OUT.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore", SyntaxWarning)
    signal.signal(signal.SIGALRM, raise_too_long)
    make_jinja.rendered = rendered_in_time
    made = [case for case in make_jinja.cases(SEED, COUNT) if "tooLong" not in case]
    (OUT / "cases.json").write_text(json.dumps({"versions": versions(), "values": VALUES, "cases": made}) + "\n")
    mark_current(OUT, wanted)
    print(f"jinja: {len(made)} templates, {sum('error' in case for case in made)} of them errors")


if __name__ == "__main__":
    main()
