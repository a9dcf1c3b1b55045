#!/usr/bin/env bash
# Makes the virtual environment .venv at the root of the repository, and makes it again when the requirements changed.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
venv="$(cd "$here/../.." && pwd)/.venv"
python="${PYTHON:-python3}"

wanted="$({ cat "$here/requirements.txt" "$here/requirements-data.txt"; "$python" --version; } | sha256sum | cut -d ' ' -f 1)"
if [ -x "$venv/bin/python" ] && [ "$(cat "$venv/requirements.sha256" 2>/dev/null)" = "$wanted" ]; then
  echo "parity: .venv is up to date"
  exit 0
fi

echo "parity: making .venv"
"$python" -m venv --clear "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps -r "$here/requirements-data.txt"
# The hash comes last: an install that broke off is made again.
echo "$wanted" > "$venv/requirements.sha256"
