#!/usr/bin/env bash
# Builds the `clockwork` command as it is released: the same commit gives the same bytes, in whatever directory.
#
#   scripts/release-build.sh            # for this machine, into target/release (the action does this from its checkout)
#   scripts/release-build.sh TARGET     # small, into target/TARGET/dist; on the system that it is for
#
# It becomes cargo in the end, so that whoever ends this process ends the build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# As the compiler knows a path: on Windows, this shell has names of its own.
native() {
  if type -P cygpath >/dev/null; then cygpath -w "$1"; else printf '%s' "$1"; fi
}

target=${1:-}
here=$(native "$PWD")
home=$(native "${CARGO_HOME:-${HOME:?}/.cargo}")
sysroot=$(rustc --print sysroot)

# Whatever is set for other builds would end up in this one.
unset CARGO_BUILD_TARGET CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_RUSTFLAGS CARGO_INCREMENTAL
export RUSTFLAGS="--remap-path-prefix=$here=/clockwork --remap-path-prefix=$home=/cargo --remap-path-prefix=$sysroot=/rust"
# What is written in C (SQLite, the allocator, which would say when it was built) and assembler (ring).
export SOURCE_DATE_EPOCH=0
# What .cargo/config.toml says of the allocator, which does not count where there are others.
export CFLAGS="-DMI_NO_GETENV -DMI_SKIP_COLLECT_ON_EXIT"
CFLAGS+=" -ffile-prefix-map=$here=/clockwork -ffile-prefix-map=$home=/cargo"
arguments=(rustc --locked --package clockwork-action --bin clockwork)
# The last step optimises the whole program, for which the package's own level (that of the formats) is too much, and cargo
# does not strip a package that has one.
dist=(--profile dist --target "$target" -- -Copt-level=z -Cstrip=symbols)
case $target in
  "") arguments+=(--release) ;;
  *-linux-musl)
    arguments+=("${dist[@]}")
    # The compiler for musl's headers. It is one for this machine: each release is built on its own kind.
    export "CC_${target//-/_}=musl-gcc"
    # Rust's own linker folds functions that are the same (a tenth of them), and packs relocations.
    RUSTFLAGS+=" -Ctarget-feature=+crt-static -Clinker=rust-lld -Clinker-flavor=ld.lld"
    RUSTFLAGS+=" -Clink-arg=--icf=all -Clink-arg=--pack-dyn-relocs=relr"
    ;;
  *-apple-darwin)
    arguments+=("${dist[@]}")
    export MACOSX_DEPLOYMENT_TARGET=11.0 # the first that runs on arm64
    ;;
  *-windows-msvc)
    arguments+=("${dist[@]}")
    unset CFLAGS # which are for another compiler
    # Without the libraries that come with the compiler, and without the time of day.
    RUSTFLAGS+=" -Ctarget-feature=+crt-static -Clink-arg=/Brepro"
    ;;
  *)
    echo "there are releases for Linux with musl, macOS and Windows, not for $target" >&2
    exit 2
    ;;
esac
exec cargo "${arguments[@]}"
