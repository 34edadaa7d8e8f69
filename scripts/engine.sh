#!/usr/bin/env bash
# A container engine and the images that the tests need, on a bare Debian or Ubuntu machine, as root.
#
#   scripts/engine.sh         installs what is missing, starts an engine if none answers, builds the images if missing
#   scripts/engine.sh stop    ends the engine that this script started, and no other
#
# Every step is skipped where its result is there already, so that it may be called before each test run. No registry
# is asked: the images are made of files of this machine's own packages.
set -euo pipefail

state=${CLOCKWORK_ENGINE_DIR:-/var/tmp/clockwork-engine}
log=$state/dockerd.log
pid_file=$state/dockerd.pid
busybox_image=clockwork/busybox:test
nginx_image=clockwork/nginx:test
# For the example with three tiers: a server of PostgreSQL, one of NATS, and what a program needs that is built here.
postgres_image=clockwork/postgres:test
nats_image=clockwork/nats:test
service_image=clockwork/service:test
# For the GitHub Action: a container with what it needs, and nothing else.
bare_image=clockwork/bare:test

say() { printf 'engine: %s\n' "$*" >&2; }
die() {
  say "$*"
  exit 1
}

# The engine that the tests will find: DOCKER_HOST, or the default socket.
answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

install_missing() {
  local missing=()
  command -v dockerd >/dev/null || missing+=(docker.io)
  command -v iptables >/dev/null || missing+=(iptables)
  is_static "$(busybox_path)" || missing+=(busybox-static)
  ((${#missing[@]})) || return 0
  [[ $(id -u) == 0 ]] || die "${missing[*]} must be installed; run this as root"
  say "installing ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# Where busybox-static puts it. The package `busybox` has one there too, which needs libraries that an image lacks.
busybox_path() { command -v busybox || echo /bin/busybox; }
is_static() { [[ -x $1 ]] && ! ldd "$1" >/dev/null 2>&1; }

# One that has ended, and nobody has waited for yet, has a name still, but no program.
started_by_us() {
  local pid
  [[ -r $pid_file ]] && pid=$(<"$pid_file") && [[ $(readlink "/proc/$pid/exe") == */dockerd* ]]
}

wait_for_engine() {
  local _
  for _ in $(seq 150); do
    answers && return 0
    started_by_us || return 1
    sleep 0.2
  done
  return 1
}

start_dockerd() {
  rm -f /var/run/docker.pid # of a dockerd that was killed; we know that none answers
  say "starting dockerd $* (log: $log)"
  setsid dockerd "$@" >>"$log" 2>&1 </dev/null &
  echo $! >"$pid_file"
  wait_for_engine
}

start() {
  answers && return 0
  if [[ -n ${DOCKER_HOST:-} ]]; then
    die "DOCKER_HOST is $DOCKER_HOST, and no engine answers there; unset it to have one started here"
  fi
  [[ $(id -u) == 0 ]] || die "no container engine answers; start Docker, join the group docker, or run this as root"
  mkdir -p "$state"
  if started_by_us; then
    wait_for_engine || die "dockerd $(<"$pid_file") runs and does not answer; see $log"
    return 0
  fi
  : >"$log"
  # The default storage driver needs a file system that overlays can lie on, and the default network needs iptables.
  # Where this machine has neither, slower ones do.
  start_dockerd && return 0
  stop
  start_dockerd --storage-driver=vfs && return 0
  stop
  start_dockerd --storage-driver=vfs --iptables=false --ip6tables=false --bridge=none && return 0
  tail -n 20 "$log" >&2
  stop
  die "dockerd did not start; the end of its log is above"
}

stop() {
  started_by_us || {
    rm -f "$pid_file"
    return 0
  }
  local pid _
  pid=$(<"$pid_file")
  kill "$pid"
  for _ in $(seq 100); do
    [[ -d /proc/$pid ]] || break
    sleep 0.1
  done
  rm -f "$pid_file"
}

has_image() { docker image inspect "$1" >/dev/null 2>&1; }

make_busybox_image() {
  has_image "$busybox_image" && return 0
  say "building $busybox_image"
  local root
  root=$(mktemp -d)
  mkdir -p "$root"/{bin,etc,proc,root,sys,tmp,var}
  cp "$(busybox_path)" "$root/bin/busybox"
  local applet
  for applet in $("$root/bin/busybox" --list); do
    [[ $applet == busybox ]] || ln -s busybox "$root/bin/$applet"
  done
  echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
  echo 'root:x:0:' >"$root/etc/group"
  tar -C "$root" -c . | docker import --change 'CMD ["sh"]' --change 'ENV PATH=/bin' - "$busybox_image" >/dev/null
  rm -rf "$root"
}

# nginx, with the libraries that it needs, in their places under the folder $1. Where it is not installed, its packages
# are unpacked beside that folder: this machine is to get no web server that starts by itself.
copy_nginx() {
  local root=$1 unpacked=$1.packages nginx file
  nginx=$(command -v nginx || echo /usr/sbin/nginx)
  if [[ ! -x $nginx ]]; then
    local package wanted
    mkdir -p "$unpacked"
    [[ $(id -u) != 0 ]] || apt-get update -qq
    wanted=$(apt-cache depends nginx nginx-light | sed -n 's/^ *Depends: \(lib[a-z0-9.+-]*\|zlib1g\)$/\1/p')
    # Which of the two has the program in it changed between releases.
    for package in nginx nginx-light $wanted; do
      (cd "$unpacked" && apt-get download -qq "$package" 2>/dev/null) || say "no package $package"
    done
    for package in "$unpacked"/*.deb; do dpkg-deb -x "$package" "$unpacked"; done
    nginx=$unpacked/usr/sbin/nginx
    [[ -x $nginx ]] || die "no nginx in the packages nginx and nginx-light"
  fi
  install -D "$nginx" "$root/usr/sbin/nginx"
  local triplet
  triplet=$(basename "$(dirname "$(ldconfig -p | sed -n 's/.*=> \(.*\/libc\.so\.6\)$/\1/p' | head -n 1)")")
  LD_LIBRARY_PATH=$unpacked/usr/lib/$triplet:$unpacked/lib/$triplet ldd "$nginx" | grep -o '/[^ ]*' |
    while read -r file; do install -D "$file" "$root${file#"$unpacked"}"; done
  rm -rf "$unpacked"
}

make_nginx_image() {
  has_image "$nginx_image" && return 0
  say "building $nginx_image"
  local root
  root=$(mktemp -d)
  mkdir -p "$root"/{bin,dev,etc/nginx,proc,run,sys,tmp,usr/sbin,var/lib/nginx,var/log/nginx,var/www}
  copy_nginx "$root"
  cp "$(busybox_path)" "$root/bin/busybox"
  ln -s busybox "$root/bin/sh"
  ln -s busybox "$root/bin/wget"
  echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
  echo 'root:x:0:' >"$root/etc/group"
  echo '<!doctype html><title>clockwork</title><h1>It works</h1>' >"$root/var/www/index.html"
  cat >"$root/etc/nginx/nginx.conf" <<'CONF'
user root root;
daemon off;
error_log stderr notice;
pid /run/nginx.pid;
events {}
http {
  access_log off;
  default_type text/html;
  server {
    listen 80;
    listen 443; # without TLS: the tests ask whether it is accessible
    root /var/www;
    location = /health { default_type text/plain; return 200 "ok\n"; }
  }
}
CONF
  tar -C "$root" -c . | docker import --change 'CMD ["/usr/sbin/nginx", "-c", "/etc/nginx/nginx.conf"]' \
    --change 'EXPOSE 80' --change 'ENV PATH=/usr/sbin:/bin' - "$nginx_image" >/dev/null
  rm -rf "$root"
}

# A root that is busybox and nothing else, in the folder $1.
copy_busybox() {
  local root=$1 applet
  mkdir -p "$root"/{bin,etc,proc,root,sys,tmp,var}
  chmod 1777 "$root/tmp"
  cp "$(busybox_path)" "$root/bin/busybox"
  for applet in $("$root/bin/busybox" --list); do
    [[ $applet == busybox ]] || ln -s busybox "$root/bin/$applet"
  done
  printf 'root:x:0:0:root:/root:/bin/sh\npostgres:x:70:70:postgres:/var/lib/postgresql:/bin/sh\n' >"$root/etc/passwd"
  printf 'root:x:0:\npostgres:x:70:\n' >"$root/etc/group"
}

# The libraries that these programs need, in their places under the folder $1.
copy_libraries() {
  local root=$1 file
  shift
  for file in $(ldd "$@" 2>/dev/null | sed -n 's/.*=> \(\/[^ ]*\) (.*/\1/p; s/^\t\(\/[^ ]*\) (.*/\1/p' | sort -u); do
    [[ -e $root$file ]] || install -D "$file" "$root$file"
  done
}

# The newest PostgreSQL that is installed here: its folder of programs.
postgres_programs() {
  local directory newest=
  for directory in /usr/lib/postgresql/*/bin; do
    [[ ! -x $directory/postgres ]] || newest=$directory
  done
  [[ -n $newest ]] && echo "$newest"
}

make_postgres_image() {
  has_image "$postgres_image" && return 0
  local root programs version file
  programs=$(postgres_programs) || {
    say "no PostgreSQL is installed here: no $postgres_image"
    return 0
  }
  say "building $postgres_image"
  version=$(basename "$(dirname "$programs")")
  root=$(mktemp -d)
  copy_busybox "$root"
  mkdir -p "$root/usr/lib/postgresql/$version/lib" "$root/usr/share/postgresql" "$root/usr/share/zoneinfo" \
    "$root/var/lib/postgresql" "$root/var/run/postgresql"
  for file in postgres initdb pg_ctl pg_basebackup psql; do
    install -D "$programs/$file" "$root/usr/bin/$file"
  done
  # Where its programs look for the rest, seen from where they are.
  mkdir -p "$root$programs"
  for file in "$root"/usr/bin/*; do
    mv "$file" "$root$programs/" && ln -s "$programs/$(basename "$file")" "$file"
  done
  for file in libpqwalreceiver.so plpgsql.so dict_snowball.so euc2004_sjis2004.so; do
    cp "/usr/lib/postgresql/$version/lib/$file" "$root/usr/lib/postgresql/$version/lib/"
  done
  cp -r "/usr/share/postgresql/$version" "$root/usr/share/postgresql/"
  cp -r /usr/share/zoneinfo/{UTC,GMT,Etc} "$root/usr/share/zoneinfo/"
  copy_libraries "$root" "$root$programs"/* "$root/usr/lib/postgresql/$version/lib"/*.so
  tar -C "$root" --numeric-owner --owner=0 --group=0 -c . | docker import --change 'CMD ["postgres"]' \
    --change 'ENV PATH=/usr/bin:/bin' - "$postgres_image" >/dev/null
  rm -rf "$root"
}

make_nats_image() {
  has_image "$nats_image" && return 0
  local root program
  program=$(PATH=$PATH:/usr/sbin command -v nats-server) || {
    say "no nats-server is installed here: no $nats_image"
    return 0
  }
  say "building $nats_image"
  root=$(mktemp -d)
  copy_busybox "$root"
  install -D "$program" "$root/usr/sbin/nats-server"
  copy_libraries "$root" "$root/usr/sbin/nats-server"
  tar -C "$root" --numeric-owner --owner=0 --group=0 -c . | docker import \
    --change 'CMD ["nats-server", "--jetstream", "--store_dir", "/tmp"]' \
    --change 'ENV PATH=/usr/sbin:/bin' - "$nats_image" >/dev/null
  rm -rf "$root"
}

# Whatever is built here for the machine's own C library runs in it.
make_service_image() {
  has_image "$service_image" && return 0
  say "building $service_image"
  local root file
  root=$(mktemp -d)
  copy_busybox "$root"
  copy_libraries "$root" "$(command -v ls)"
  for file in libm.so.6 libgcc_s.so.1; do
    file=$(dirname "$(ldd "$(command -v ls)" | sed -n 's/.*=> \(\/.*libc\.so\.6\) .*/\1/p')")/$file
    install -D "$file" "$root$file"
  done
  tar -C "$root" --numeric-owner --owner=0 --group=0 -c . | docker import --change 'CMD ["sh"]' \
    --change 'ENV PATH=/bin' - "$service_image" >/dev/null
  rm -rf "$root"
}

# What action/run.sh and action/install.sh call. Their tar unpacks no gzip here, as there is none.
make_bare_image() {
  has_image "$bare_image" && return 0
  local root program missing=()
  for program in bash curl tar sha256sum mkdir mv rm chmod sleep; do
    command -v "$program" >/dev/null || missing+=("$program")
  done
  ((${#missing[@]} == 0)) || {
    say "${missing[*]} not installed here: no $bare_image"
    return 0
  }
  say "building $bare_image"
  root=$(mktemp -d)
  mkdir -p "$root"/{bin,etc,proc,root,sys,tmp}
  chmod 1777 "$root/tmp"
  for program in bash curl tar sha256sum mkdir mv rm chmod sleep; do
    program=$(type -P "$program")
    cp "$program" "$root/bin/"
    copy_libraries "$root" "$program"
  done
  for program in libm.so.6 libgcc_s.so.1; do
    program=$(dirname "$(ldd "$root/bin/mv" | sed -n 's/.*=> \(\/.*libc\.so\.6\) .*/\1/p')")/$program
    [[ -e $root$program ]] || install -D "$program" "$root$program"
  done
  echo 'root:x:0:0:root:/root:/bin/bash' >"$root/etc/passwd"
  echo 'root:x:0:' >"$root/etc/group"
  tar -C "$root" --numeric-owner --owner=0 --group=0 -c . | docker import --change 'CMD ["bash"]' \
    --change 'ENV PATH=/bin' - "$bare_image" >/dev/null
  rm -rf "$root"
}

case ${1:-start} in
  start)
    install_missing
    start
    make_busybox_image
    make_nginx_image
    make_postgres_image
    make_nats_image
    make_service_image
    make_bare_image
    ;;
  stop) stop ;;
  *) die "usage: scripts/engine.sh [start|stop]" ;;
esac
