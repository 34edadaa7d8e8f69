#!/usr/bin/env bash
# Builds the `clockwork` command as it is released: the same commit gives the same bytes, in whatever directory.
#
#   scripts/release-build.sh            # for this machine, into target/release (the action does this from its checkout)
#   scripts/release-build.sh TARGET     # small and static, into target/TARGET/dist
#
# It becomes cargo in the end, so that whoever ends this process ends the build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target=${1:-}
home=${CARGO_HOME:-${HOME:?}/.cargo}
sysroot=$(rustc --print sysroot)

# Whatever is set for other builds would end up in this one.
unset CARGO_BUILD_TARGET CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_RUSTFLAGS CARGO_INCREMENTAL
export RUSTFLAGS="--remap-path-prefix=$PWD=/clockwork --remap-path-prefix=$home=/cargo --remap-path-prefix=$sysroot=/rust"
# What is written in C (SQLite) and assembler (ring).
export CFLAGS="-ffile-prefix-map=$PWD=/clockwork -ffile-prefix-map=$home=/cargo"
arguments=(rustc --locked --package clockwork-action --bin clockwork)
case $target in
  "") arguments+=(--release) ;;
  *-linux-musl)
    # The last step optimises the whole program, for which the package's own level (that of the formats) is too much, and
    # cargo does not strip a package that has one.
    arguments+=(--profile dist --target "$target" -- -Copt-level=z -Cstrip=symbols)
    # The compiler for musl's headers. It is one for this machine: each release is built on its own kind.
    export "CC_${target//-/_}=musl-gcc"
    # Rust's own linker folds functions that are the same (a tenth of them), and packs relocations.
    RUSTFLAGS+=" -Ctarget-feature=+crt-static -Clinker=rust-lld -Clinker-flavor=ld.lld"
    RUSTFLAGS+=" -Clink-arg=--icf=all -Clink-arg=--pack-dyn-relocs=relr"
    ;;
  *)
    echo "there are releases for Linux with musl alone, not for $target" >&2
    exit 2
    ;;
esac
exec cargo "${arguments[@]}"
