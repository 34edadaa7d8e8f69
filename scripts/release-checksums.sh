#!/usr/bin/env bash
# Adds a release's archives to those that the action may install.
#
#   scripts/release-checksums.sh SHA256SUMS
set -euo pipefail

list=$(dirname "${BASH_SOURCE[0]}")/../action/checksums.txt
while read -r sum name; do
  case $name in
    clockwork-*.tar | clockwork-*.tar.gz) ;;
    *) continue ;;
  esac
  [[ $sum =~ ^[0-9a-f]{64}$ ]] || {
    printf 'this is no checksum: %s\n' "$sum" >&2
    exit 1
  }
  # What was released stays as it was.
  if known=$(grep -F "  $name" "$list"); then
    [[ $known == "$sum  $name" ]] || {
      printf '%s is there already, with another checksum\n' "$name" >&2
      exit 1
    }
    continue
  fi
  printf '%s  %s\n' "$sum" "$name" >>"$list"
done <"$1"
