#!/usr/bin/env bash
# What a release's program has to be: static, stripped, under 16 MiB, and able to run on a machine that has nothing.
#
#   scripts/release-check.sh TARGET [PROGRAM]     # PROGRAM: target/TARGET/dist/clockwork
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

program=${2:-target/$1/dist/clockwork}
limit=$((16 << 20))

wrong() {
  printf '%s: %s\n' "$program" "$*" >&2
  exit 1
}

size=$(wc -c <"$program")
((size < limit)) || wrong "$size bytes, and it is to be under $limit"
case $1 in
  *-linux-musl)
    headers=$(readelf --program-headers --wide "$program")
    [[ $headers != *INTERP* ]] || wrong "it needs a loader: it is not static"
    [[ $(readelf --dynamic --wide "$program" 2>/dev/null) != *NEEDED* ]] || wrong "it needs libraries"
    [[ $(readelf --section-headers --wide "$program") != *.symtab* ]] || wrong "it is not stripped"
    ;;
esac
# Nothing of where it was built is in it.
! grep -qaF "$PWD" "$program" || wrong "it has the directory that it was built in"
said=$(env -i "$(realpath "$program")" version)
[[ $said == "clockwork "* ]] || wrong "it says \"$said\""
printf '%s: %s, %s bytes\n' "$program" "$said" "$size"
