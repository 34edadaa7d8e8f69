#!/usr/bin/env bash
# Packs what scripts/release-build.sh has built: the same program gives the same archives.
#
#   scripts/release-package.sh TARGET DIRECTORY
#
# As tar.gz, and as plain tar for machines that have no gzip (action/install.sh).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target=$1 directory=$2
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' Cargo.toml)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
name=clockwork
[[ $target != *-windows-* ]] || name=clockwork.exe
# macOS has a tar of its own, and its runners GNU's beside it.
tar=tar
if type -P gtar >/dev/null; then tar=gtar; fi
install -m 755 "target/$target/dist/$name" "$work/$name"
install -m 644 LICENSE "$work/LICENSE"
mkdir -p "$directory"
archive=$directory/clockwork-$version-$target.tar
"$tar" --create --file "$archive" --directory "$work" --format=ustar --sort=name --mtime=@0 --owner=0 --group=0 \
  --numeric-owner "$name" LICENSE
gzip --no-name --best --keep --force "$archive"
