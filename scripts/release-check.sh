#!/usr/bin/env bash
# What a release's program has to be: stripped, under 16 MiB, and able to run on a machine that has nothing; on Linux static,
# elsewhere with what belongs to the system alone.
#
#   scripts/release-check.sh TARGET [PROGRAM]     # PROGRAM: target/TARGET/dist/clockwork
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

suffix=
[[ $1 != *-windows-* ]] || suffix=.exe
program=${2:-target/$1/dist/clockwork$suffix}
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
  *-apple-darwin)
    foreign=$(otool -L "$program" | sed 1d | grep -vE '^[[:space:]]+/(usr/lib|System/Library)/' || true)
    [[ -z $foreign ]] || wrong "it needs libraries that are not the system's: $foreign"
    ;;
esac
# Nothing of where it was built is in it.
here=$PWD
if type -P cygpath >/dev/null; then here=$(cygpath -w "$here"); fi
! grep -qaF "$here" "$program" || wrong "it has the directory that it was built in"
case $1 in
  *-windows-*) said=$("$program" version) ;; # nothing runs there without an environment
  *) said=$(env -i "$(realpath "$program")" version) ;;
esac
[[ $said == "clockwork "* ]] || wrong "it says \"$said\""
printf '%s: %s, %s bytes\n' "$program" "$said" "$size"
