#!/usr/bin/env bash
# What CI does with the Python client; every language has the same subcommands.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
python=$root/.venv/bin/python
out=$root/.cache/clients/python

toolchain() {
	[ -x "$python" ] || { echo 'python: .venv is missing; run make setup' >&2; exit 3; }
}

gen() { # the stubs come with those of the server: buf.gen.yaml at the root
	:
}

lint() {
	cd "$root"
	.venv/bin/ruff check --quiet clients/python clients/conformance
	.venv/bin/ruff format --quiet --check clients/python clients/conformance
	MYPYPATH=clients/conformance:clients/python/src .venv/bin/mypy \
		clients/conformance/check.py clients/python/conformance/runner.py clients/python/examples
}

test() {
	cd "$root"
	"$python" -m pytest -q tests/clients
}

runner() {
	echo "env GRPC_VERBOSITY=NONE PYTHONPATH=$here/src $python $here/conformance/runner.py"
}

package() {
	rm -rf "$out/dist"
	"$root/.venv/bin/uv" build --quiet --python "$python" --no-build-isolation --out-dir "$out/dist" "$here"
}

consumer() {
	local project
	project=$(mktemp -d)
	# shellcheck disable=SC2064 # it is gone when the trap runs
	trap "rm -rf '$project'" EXIT
	"$root/.venv/bin/uv" venv --quiet --python "$python" "$project/.venv"
	"$root/.venv/bin/uv" pip install --quiet --python "$project/.venv/bin/python" \
		--constraints "$root/requirements/runtime.txt" "$out"/dist/interlingua-*.whl
	cp "$here/examples/stream.py" "$project"
	cd "$project" && env -u PYTHONPATH .venv/bin/python stream.py
}

"${1:?toolchain, gen, lint, test, runner, package or consumer}"
