#!/usr/bin/env bash
# Write requirements.lock: every package of the platform and its tests with hashes, for CPU machines on x86-64 Linux.
# The CPU build of torch needs none of the CUDA packages that the default build drags in, so they are left out; its own
# hash is added to those of the default build. Run it after changing pyproject.toml.
set -euo pipefail
cd "$(dirname "$0")/.."
torch_cpu="6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b"
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
"${PYTHON:-python3}" -m venv "$tools/venv"
"$tools/venv/bin/pip" install --quiet uv
"$tools/venv/bin/uv" pip compile pyproject.toml --extra dev --python-version 3.11 --python-platform x86_64-manylinux_2_28 \
  --generate-hashes --no-header --no-annotate --quiet --output-file "$tools/lock"
{
  echo "# pip install --require-hashes -r requirements.lock && pip install --no-deps -e .   (CPU, x86-64 Linux; see deploy/lock.sh)"
  awk -v cpu="$torch_cpu" '
    /^[A-Za-z0-9]/ { keep = ($0 !~ /^(nvidia-|cuda-|triton==)/) }
    keep { print }
    /^torch==/ { print "    --hash=sha256:" cpu " \\" }
  ' "$tools/lock"
} > requirements.lock
grep -c '==' requirements.lock
