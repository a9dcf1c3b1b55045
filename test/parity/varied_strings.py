"""Strings that tokenizers treat differently when one of them has a bug. The seed is fixed."""

import random
from collections.abc import Callable

FIXED = [
    "",
    " ",
    "  ",
    "\n",
    "\t",
    "\r\n",
    " \n \n",
    "a",
    " a",
    "a ",
    "\u0000",
    "\ufeff",
    "\u200b",
    "\u00a0",
    "\u3000",
    "\u2028\u2029",
    "'s 're 'll 'S 'RE don't won't we’ll",
    "e\u0301 \u00e9 E\u0301\u0327 \u1e9b\u0323 ﬁ ﬀ Å Å K",
    "नमस्ते दुनिया",
    "สวัสดีชาวโลก",
    "안녕하세요 세계",
    "これは日本語の文です。カタカナも、漢字も。",
    "北京欢迎你，2008年8月8日。",
    "مرحبا بالعالم ١٢٣",
    "שלום עולם, 2024",
    "abc שלום def مرحبا ghi",
    "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇩🇪🇫🇷 ☎️ 1️⃣",
    "½ ⅓ Ⅷ ² ³ ₁ ① ٣ ५ 五 १२३४",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟙𝟚𝟛 𐍈 𒀀",
    "Ωμέγα ΑΒΓ αβγ ς Σ",
    "Привет, как дела? Ёлка №5",
    "İstanbul ıI ß ẞ ǆ ǅ",
    "1234567890 1,234.56 1e-9 0x1F -7 +49 (0)30 12:34:56 2024-02-29",
    "def f(x):\n    return x**2  # square\n\n\nclass A:\n\tpass\n",
    "if (a && b || !c) { return a?.b ?? [1,2,3][0]; } // done",
    '<div class="x">&amp; &lt;tag/&gt;</div>',
    "SELECT * FROM t WHERE a='b' AND c IS NOT NULL;--",
    "https://example.org/a/b?c=d&e=%20f#g user@example.org",
    "\\frac{a}{b} \\\\ $x_{i}^{2}$ {{ braces }} ``code`` **bold**",
    "don't\u00a0stop\u2014go\u2026now \u201cquoted\u201d \u2018single\u2019",
    "a" * 1000,
    "ab" * 400,
    "antidisestablishmentarianism" * 20,
    "=" * 200,
    " " * 129,
    "\n" * 65,
    "0" * 77,
    "é" * 150,
    "漢" * 90,
    "🙂" * 40,
]

RANGES = {
    "latin": [(0x20, 0x7E), (0xA1, 0x24F)],
    "greek and cyrillic": [(0x370, 0x3FF), (0x400, 0x52F)],
    "right to left": [(0x590, 0x5FF), (0x600, 0x6FF), (0x20, 0x20)],
    "indic and south-east asian": [(0x900, 0x9FF), (0xB80, 0xBFF), (0xE00, 0xE7F), (0x1000, 0x109F), (0x20, 0x20)],
    "cjk": [(0x3040, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0x3000, 0x303F), (0xFF00, 0xFFEF)],
    "combining": [(0x61, 0x7A), (0x300, 0x36F), (0x1AB0, 0x1AC0), (0x20D0, 0x20F0)],
    "emoji": [(0x1F300, 0x1F64F), (0x1F680, 0x1F6FF), (0x1F900, 0x1F9FF), (0x1F1E6, 0x1F1FF), (0x200D, 0x200D), (0xFE0F, 0xFE0F), (0x1F3FB, 0x1F3FF)],
    "symbols and numbers": [(0x2000, 0x2BFF), (0xB2, 0xB3), (0xB9, 0xBE), (0x660, 0x669), (0x966, 0x96F), (0x30, 0x39)],
    "control": [(0x00, 0x1F), (0x7F, 0x9F), (0x200B, 0x200F), (0x2028, 0x202F), (0x20, 0x20), (0x61, 0x66)],
    "anything": [(0x00, 0xD7FF), (0xE000, 0x10FFFF)],
}  # fmt: skip

WORDS = (
    "the of and to in that it is was for on are as with his they at be this from have or by one had not but what all "
    "Tokenizer fine-tuning gradient descent Netherfield I'm you're they'll we've he'd can't O'Neill's isn't 'tis "
    "café naïve façade Zürich Straße señor über coöperate Ångström 3rd 42 1st 100% $5 #1 C++ e.g. U.S.A. foo_bar "
    "camelCase snake_case HTTPRequest iPhone x86_64 v1.2.3 don‘t rock'n'roll"
).split()
CODE = "def return import class self None True == != <= => -> :: // /* */ ( ) [ ] { } ; , . \" ' ` ~ ^ % & | \\ @ # $ x y i 0 1".split()
SPACES = [
    " ",
    "  ",
    "   ",
    "\t",
    "\n",
    "\n\n",
    "\r\n",
    " \n",
    "\n  ",
    "\u00a0",
    "\u3000",
    "\u2009",
    "\v",
    "\f",
    "\u0085",
]
PUNCTUATION = [" ", " ", " ", ", ", ". ", "; ", "-", "—", "!? "]
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEéß'"


def varied_strings(special: list[str], count: int = 1000) -> list[str]:
    """Distinct strings of every maker in turn, after the fixed ones and the special tokens themselves."""
    generator = random.Random(7)
    choose = generator.choice

    def several(least: int, most: int, make: Callable[[], str]) -> str:
        return "".join(make() for _ in range(generator.randint(least, most)))

    def number() -> str:
        return str(generator.randint(0, 10 ** generator.randint(1, 20)))

    makers: list[Callable[[], str]] = [
        lambda: several(1, 25, lambda: choose(WORDS) + choose(PUNCTUATION)),
        lambda: several(1, 15, lambda: choose(SPACES) * generator.randint(1, 4) + choose([*WORDS, ""])),
        lambda: several(1, 40, lambda: choose(CODE) + choose(["", " ", "\n    ", "\t"])),
        lambda: several(1, 8, lambda: number() + choose([".", ",", " ", "-", "/", ":", "e", "%", ""])),
        lambda: several(100, 600, lambda: choose(LETTERS)),
        # Special tokens whole and broken off, side by side with words and spaces.
        lambda: several(1, 12, lambda: choose([choose(special), choose(special)[:-1], choose(WORDS), choose(SPACES)])),
    ]
    for ranges in RANGES.values():
        makers.append(lambda ranges=ranges: several(1, 40, lambda: chr(generator.randint(*choose(ranges)))))
    single = tuple(makers)
    makers.append(lambda: several(2, 6, lambda: choose(single)()[: generator.randint(1, 20)]))

    strings = dict.fromkeys([*FIXED, *special])
    while len(strings) < count:
        strings[makers[len(strings) % len(makers)]()] = None
    return list(strings)
