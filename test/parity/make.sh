#!/usr/bin/env bash
# Makes everything the parity suite compares with: models in test/.models, reference values in
# test/.cache/parity, tokenizer cases in test/.cache/tokenizers.
# What is up to date stays as it is. README.md beside this file says what lies where.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
bash setup.sh
python=../../.venv/bin/python
"$python" make_smollm2.py
"$python" make_minilm.py
"$python" make_tiny_models.py
"$python" reference.py --all
"$python" method_cases.py
"$python" prompt_cases.py
"$python" adapter_cases.py
"$python" architecture_cases.py
"$python" encoder_cases.py
"$python" tokenizer_cases.py
"$python" embed_cases.py
"$python" chat_cases.py
"$python" jinja_cases.py
"$python" pattern_cases.py
"$python" broken_tokenizers.py
"$python" evaluate_cases.py
"$python" classify_cases.py
