# Brings the `clockwork` command: from the runner's tool cache, from a release, or from this checkout. To be sourced.
# shellcheck shell=bash
# shellcheck disable=SC2154 # `here` is the directory of whoever sources this
#
# A release's archive is taken only if its checksum stands in checksums.txt, beside this file. One with another checksum is
# never run, and nothing else is run in its place. It needs curl, tar (which unpacks gzip only where gzip is there) and
# sha256sum or shasum; for the source, cargo and a C compiler.

# Where releases are, unless CLOCKWORK_RELEASES names a mirror. A mirror needs no trust: the checksums are here.
releases=https://github.com/clockwork-rs/clockwork/releases/download

# What runs, and is ended when the job is cancelled.
process=

# The job is cancelled. The command that takes this shell's place has a way of its own.
interrupted() {
  [[ -z $process ]] || kill "$process" 2>/dev/null || true
  ended interrupted
  exit 130
}

# Runs a command such that a cancelled job ends it, too: a shell hears of that only when nothing runs in its foreground.
child() {
  local status=0
  "$@" </dev/null &
  process=$!
  wait "$process" || status=$?
  process=
  return "$status"
}

# What this machine's releases are built for; nothing, where there are none.
target() {
  case ${RUNNER_OS:-$OSTYPE}-${RUNNER_ARCH:-$HOSTTYPE} in
    [Ll]inux*-X64 | linux*-x86_64) echo x86_64-unknown-linux-musl ;;
    [Ll]inux*-ARM64 | linux*-aarch64) echo aarch64-unknown-linux-musl ;;
    macOS-X64 | darwin*-x86_64) echo x86_64-apple-darwin ;;
    macOS-ARM64 | darwin*-arm64 | darwin*-aarch64) echo aarch64-apple-darwin ;;
    Windows-X64 | msys*-x86_64) echo x86_64-pc-windows-msvc ;;
  esac
}

# The version of the checkout $1.
version_of() {
  local line in_package=false
  while IFS= read -r line; do
    case $line in
      "[workspace.package]"*) in_package=true ;;
      "["*) in_package=false ;;
      'version = "'*)
        if [[ $in_package == true ]]; then
          line=${line#*\"}
          echo "${line%%\"*}"
          return
        fi
        ;;
    esac
  done <"$1/Cargo.toml"
}

# The checksum of the archive $2 in the list $1; nothing, where it has none.
checksum_of() {
  local sum name
  while read -r sum name; do
    if [[ ${name#\*} == "$2" ]]; then
      echo "$sum"
      return
    fi
  done <"$1"
}

# Sets `sum` to the checksum of the file $1.
sha256() {
  if type -P sha256sum >/dev/null; then
    sum=$(sha256sum <"$1")
  elif type -P shasum >/dev/null; then
    sum=$(shasum -a 256 <"$1")
  else
    fail "neither sha256sum nor shasum is here, so that no download can be checked"
  fi
  sum=${sum%% *}
}

# Brings $1 to the file $2. Tries again what may be otherwise the next time.
download() {
  local url=$1 file=$2 protocols='=https' try status code
  # A mirror may be on the local network; what comes from it is checked all the same.
  [[ $url == https://* ]] || protocols='=http,https'
  for try in 1 2 3; do
    status=0
    child curl --proto "$protocols" --fail --silent --show-error --location --connect-timeout 10 --max-time 300 \
      --output "$file" --write-out '%{http_code}' "$url" >"$file.code" || status=$?
    code=$(<"$file.code")
    [[ $status != 0 ]] || return 0
    note "try $try: curl ended with $status (HTTP status $code)"
    case $code in 400 | 401 | 403 | 404 | 410) return 1 ;; esac
    [[ $try == 3 ]] || child sleep "$try"
  done
  return 1
}

# Unpacks the archive $1 in the directory $2. From there, as tar takes what has a colon for another machine's. To be run by
# itself, as it becomes tar.
unpack() {
  cd "$2" && exec tar -xf "$1"
}

# Installs the release $1 for the target $2 into the directory $3, where its archive has the checksum $4. Returns 1 where
# it cannot be had.
install_release() {
  local version=$1 target=$2 directory=$3 archive=$4 expected=$5
  local base=${CLOCKWORK_RELEASES:-$releases} work sum=
  type -P curl >/dev/null || {
    note "curl is not here"
    return 1
  }
  work=$directory.$$
  mkdir -p "$work" "$directory" || fail "cannot write $directory"
  note "downloading $base/v$version/$archive"
  if ! download "$base/v$version/$archive" "$work/$archive"; then
    rm -rf "$work"
    return 1
  fi
  sha256 "$work/$archive"
  if [[ $sum != "$expected" ]]; then
    rm -rf "$work"
    fail "$base/v$version/$archive is not what was released: its SHA-256 is $sum, and that of the release is $expected. It was not run."
  fi
  child unpack "$archive" "$work" || fail "cannot unpack $archive: tar ended with $?"
  [[ -f $work/clockwork$suffix ]] || fail "there is no clockwork$suffix in $archive"
  # In one step, as another job of this machine may be at the same place.
  if ! { chmod +x "$work/clockwork$suffix" && mv -f "$work/clockwork$suffix" "$directory/clockwork$suffix" &&
    : >"$directory.complete"; }; then
    fail "cannot write $directory"
  fi
  rm -rf "$work"
}

# Builds the checkout $1; `installed` is its program.
install_source() {
  local root=$1 target_dir
  type -P cargo >/dev/null ||
    fail "there is no release to install, and no cargo here to build the source: install Rust first, or name a program with the input binary"
  # For this job alone: what is kept for longer could be that of another commit.
  target_dir=${RUNNER_TEMP:-${TMPDIR:-/tmp}}/clockwork-source
  note "building clockwork from $root"
  export CARGO_TARGET_DIR=$target_dir
  child bash "$root/scripts/release-build.sh" || fail "clockwork does not build (see above)"
  installed=$target_dir/release/clockwork$suffix
}

# Sets `installed` to the path of the command, for the checkout $1 of this action, the version $2 (or that of the
# checkout), and the way $3.
install_clockwork() {
  local root=$1 version=$2 way=$3 own target archive expected packed=tar.gz directory why=
  own=$(version_of "$root")
  [[ -n $version ]] || version=$own
  [[ $version =~ ^[0-9A-Za-z.+-]+$ ]] || fail "the input version is \"$version\"; write it as 0.1.0"
  target=$(target)
  suffix=
  case ${RUNNER_OS:-$OSTYPE} in Windows | msys* | cygwin*) suffix=.exe ;; esac

  if [[ $way != source ]]; then
    type -P gzip >/dev/null || packed=tar
    archive=clockwork-$version-$target.$packed
    expected=$(checksum_of "$here/checksums.txt" "$archive")
    directory=${RUNNER_TOOL_CACHE:-${AGENT_TOOLSDIRECTORY:-${RUNNER_TEMP:-/tmp}}}/clockwork/$version/$target
    installed=$directory/clockwork$suffix
    if [[ -z $target ]]; then
      why="there are no releases for ${RUNNER_OS:-$OSTYPE} on ${RUNNER_ARCH:-$HOSTTYPE}"
    elif [[ -z $expected ]]; then
      why="this version of the action knows no release $version for $target"
    elif [[ -e $directory.complete && -x $installed ]]; then
      return 0
    else
      echo "::group::Installing clockwork $version"
      if install_release "$version" "$target" "$directory" "$archive" "$expected"; then
        echo "::endgroup::"
        return 0
      fi
      echo "::endgroup::"
      why="the release $version cannot be downloaded (see above)"
    fi
    [[ $way == auto ]] || fail "$why, and the input install says release"
  fi
  [[ $version == "$own" ]] ||
    fail "${why:+$why, and }the source of this action is $own, not $version: use the action at that version"
  [[ -z $why ]] || notice "$why, so it is built from the source"
  echo "::group::Building clockwork $own"
  install_source "$root"
  echo "::endgroup::"
}
