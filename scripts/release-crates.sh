#!/usr/bin/env bash
# The crates, each after those that it depends on.
#
#   scripts/release-crates.sh check      # every one packs, and builds from its package alone
#   scripts/release-crates.sh publish    # publishes those that are not there yet
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

crates=(clockwork-core clockwork-drivers clockwork-assert clockwork-action)
packages=("${crates[@]/#/--package=}")

case ${1:-check} in
  check) cargo package --locked "${packages[@]}" ;;
  # In one command, cargo waits until each is in the index before it goes on to the next.
  publish) cargo publish --locked "${packages[@]}" ;;
  *)
    echo "usage: scripts/release-crates.sh [check | publish]" >&2
    exit 2
    ;;
esac
