#!/usr/bin/env bash
# Does the steps of deploy/Dockerfile without an engine, from the same list of files, and runs what comes of them
# as a container: the user, no capabilities, the seccomp profile, the health check, one session watched.
#
#   deploy/test-image.sh [--binary PATH]
#
#   --binary PATH    this program stands for the first stage's; then only that all that its build has read (PATH.d,
#                    which cargo leaves beside it) is in the build's context
#
# As root: the second stage is a Debian by debootstrap, and runc is the runtime. Wants GHOSTCAST_PYTHON, as
# deploy/test-package.sh does.

# shellcheck disable=SC2317 # functions reached through traps
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"

[ "$(id -u)" -eq 0 ] || die 'as root: it makes a container'
binary=''
case "${1:-}" in
  --binary) binary="$(realpath "${2:?a path}")" ;;
  '') ;;
  *) die "unknown option $1" ;;
esac
python="${GHOSTCAST_PYTHON:-$target_dir/test-env/venv/bin/python}"
have "$python" || die "$python is missing: deploy/test.sh live makes it, or set GHOSTCAST_PYTHON"
have debootstrap || need debootstrap 'makes the image that the Dockerfile begins with'
have runc || need runc 'runs a container without an engine'
have ip || need iproute2 'makes its network'
need_browser
install_missing

work="$(mktemp -d "${TMPDIR:-/tmp}/ghostcast-image.XXXXXX")"
name="ghostcast-image-$$"
runc=(runc --root "$work/run")
cleanup() {
  local code=$?
  trap - EXIT
  [ "$code" -eq 0 ] || tail -n 20 "$work/log" >&2 2>/dev/null || true
  "${runc[@]}" delete --force "$name" 2>/dev/null || true
  rm -rf "$work"
  exit "$code"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# The last stage: a line for each instruction.
instructions() {
  sed -e '/^#/d' -e ':a;/\\$/{N;s/\\\n *//;ba}' deploy/Dockerfile | awk "$1"
}
last() { instructions '/^FROM/{n++} n==2' | sed -n "s/^$1 //p"; }

# ---- the build ----------------------------------------------------------------------------------

step 'the build context, as deploy/Dockerfile.dockerignore has it'
mkdir "$work/context"
# All is left out, and then some of it is not.
[ "$(grep -cvE '^(#|!|\*$)' deploy/Dockerfile.dockerignore)" -eq 0 ] || die 'this script reads a list of exceptions only'
sed -n 's/^!//p' deploy/Dockerfile.dockerignore | while read -r path; do cp -r --parents "$path" "$work/context/"; done
if [ -n "$binary" ]; then
  step "skipped: the build; $binary is taken"
  [ -r "$binary.d" ] || die "$binary.d is missing: it says what the build has read"
  lost="$(sed 's/^[^:]*: //' "$binary.d" | tr ' ' '\n' | sed -n 's#^.*/\(validate/src/.*\)$#\1#p; t; s#^.*/\(\(src\|proto\|deploy\|benches\|examples\)/.*\|build\.rs\|Cargo\.[a-z]*\)$#\1#p' | sort -u |
    while read -r path; do [ -e "$work/context/$path" ] || echo "$path"; done)"
  [ -z "$lost" ] || die "the build reads what is not in its context: $lost"
  [ -e "$work/context/build.rs" ] || die 'build.rs is not in the context'
else
  step 'the first stage (the same command, in the context alone)'
  (cd "$work/context" && CARGO_TARGET_DIR="$work/target" cargo build --release --locked --bin ghostcast)
  binary="$work/target/release/ghostcast"
fi

# ---- the image ----------------------------------------------------------------------------------

# Made once for each list of commands.
base="$kept_dir/image-$(last RUN | sha256sum | cut -c1-12)"
if [ ! -e "$base/made" ]; then
  rm -rf "$kept_dir"/image-*
  mkdir -p "$base"
  step 'what the last stage begins with (debootstrap)'
  debootstrap --variant=minbase bookworm "$base/root" >"$base/log" || die "debootstrap failed: see $base/log"
  cp -r /etc/apt/sources.list /etc/apt/sources.list.d "$base/root/etc/apt/" 2>/dev/null || true
  cp /etc/resolv.conf "$base/root/etc/resolv.conf"
  last RUN | while read -r command; do
    step "RUN ${command:0:60}…"
    chroot "$base/root" env DEBIAN_FRONTEND=noninteractive sh -ec "$command" </dev/null >>"$base/log" 2>&1 || die "see $base/log"
  done
  touch "$base/made"
fi
rootfs="$work/bundle/rootfs"
mkdir -p "$rootfs"
cp -a "$base/root/." "$rootfs"
last COPY | while read -r _ _ to; do install -D -m 755 "$binary" "$rootfs$to"; done
user="$(chroot "$rootfs" id -u "$(last USER)")"
step "$(du -sh "$rootfs" | cut -f1) and the user $(last USER) ($user)"

# ---- the container ------------------------------------------------------------------------------

TOKEN="$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"
export TOKEN
"$python" tests/package/bundle.py "$work/bundle" <<JSON
{"args": $("$python" -c 'import json,sys; print(json.dumps(json.loads(sys.argv[1]) + json.loads(sys.argv[2])))' "$(last ENTRYPOINT)" "$(last CMD)"),
 "env": ["PATH=/usr/local/bin:/usr/bin:/bin", "HOME=$(last WORKDIR)", "GHOSTCAST_SERVER__TOKEN=$TOKEN"],
 "user": $user, "cwd": "$(last WORKDIR)", "seccomp": "deploy/seccomp.json"}
JSON
step 'running it'
"${runc[@]}" run --bundle "$work/bundle" "$name" >"$work/log" 2>&1 &
container=$!
# Containers are collected late on a busy machine.
for _ in {1..100}; do
  pid="$("${runc[@]}" state "$name" 2>/dev/null | sed -n 's/.*"pid": \([0-9]*\).*/\1/p' || true)"
  [ -z "$pid" ] || break
  sleep 0.1
done
[ -n "${pid:-}" ] || die 'it was not started'
lan_of "$pid"
nsenter --target "$pid" --net "$python" tests/package/watch.py http://127.0.0.1:8765
step 'its health check'
check="$(instructions '/^HEALTHCHECK/' | sed 's/.*CMD //')"
mapfile -t check < <("$python" -c 'import json,sys; print("\n".join(json.loads(sys.argv[1])))' "$check")
"${runc[@]}" exec "$name" "${check[@]}"
! "${runc[@]}" exec "$name" sh -c 'cat /proc/[0-9]*/cmdline' | tr '\0' '\n' | grep -qx -- --no-sandbox || die 'Chromium runs without its sandbox'
step 'it ends in order'
"${runc[@]}" kill "$name" TERM
code=0
wait "$container" || code=$?
[ "$code" -eq 0 ] || die "exit code $code"
say 'the image is built, runs, is watched, is healthy, and ends'
