#!/usr/bin/env bash
# Installs the Debian package for real, on a Debian of its own with its own systemd: installed, started, one
# session watched over WHEP, settings read again, killed, upgraded, removed, purged, and nothing left.
#
#   deploy/test-package.sh [DEB]     the package; without one, that of target/dist
#
# As root: debootstrap and systemd-nspawn make the machine. The network is for fetching packages only; the
# machine itself has none. Its base is made once and kept in .run/debian. Wants GHOSTCAST_PYTHON, a Python with
# what tests/live/requirements.txt names (target/test-env/venv), and a Chromium to watch with.

# shellcheck disable=SC2317 # functions reached through traps
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"

[ "$(id -u)" -eq 0 ] || die 'as root: it makes a machine of its own'
suite=bookworm
deb="${1:-}"
[ -n "$deb" ] || deb="$(find "$target_dir/dist" -name '*.deb' -print -quit 2>/dev/null || true)"
[ -r "$deb" ] || die 'no package: deploy/package.sh makes one'
deb="$(realpath "$deb")"
python="${GHOSTCAST_PYTHON:-$target_dir/test-env/venv/bin/python}"
have "$python" || die "$python is missing: deploy/test.sh live makes it, or set GHOSTCAST_PYTHON"

have debootstrap || need debootstrap 'makes a Debian'
have systemd-nspawn || need systemd-container 'runs it'
have ip || need iproute2 'makes its network'
have curl || need curl 'asks the service'
need_browser
install_missing

machine="$(mktemp -d "${TMPDIR:-/tmp}/ghostcast-package.XXXXXX")"
nspawn='' leader=''
cleanup() {
  local code=$?
  trap - EXIT
  [ "$code" -eq 0 ] || [ -z "$leader" ] || inside journalctl --no-pager -n 40 -u ghostcast >&2 || true
  if [ -n "$nspawn" ] && kill -0 "$nspawn" 2>/dev/null; then
    kill -TERM "$nspawn" 2>/dev/null || true
    wait "$nspawn" 2>/dev/null || true
  fi
  rm -rf "$machine"
  exit "$code"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

inside() {
  nsenter --target "$leader" --mount --uts --ipc --net --pid --cgroup \
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
}
# Where the outside watches from: our files, and the machine's network, which is its loopback.
beside() { nsenter --target "$leader" --net "$@"; }

# until SECONDS WHAT COMMAND...: until it succeeds.
until_so() {
  local deadline=$((SECONDS + $1)) what="$2"
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || die "not within its time: $what"
    sleep 0.2
  done
}

# ---- a clean Debian ---------------------------------------------------------------------------

base="$kept_dir/debian"
if [ ! -e "$base/made" ]; then
  step "a clean Debian ($suite; once, some minutes)"
  rm -rf "$base"
  mkdir -p "$base"
  debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,ca-certificates "$suite" "$base/root" >"$base/log" ||
    die "debootstrap failed: see $base/log"
  # The machine's own sources, with its updates.
  cp -r /etc/apt/sources.list /etc/apt/sources.list.d "$base/root/etc/apt/" 2>/dev/null || true
  touch "$base/made"
fi
step 'its packages'
cp /etc/resolv.conf "$base/root/etc/resolv.conf"
cp "$deb" "$base/root/root/ghostcast.deb"
depends="$(dpkg-deb --field "$deb" Depends | tr ',' '\n' | sed 's/|.*//; s/(.*//' | tr '\n' ' ')"
chroot "$base/root" sh -c "apt-get -q update && apt-get -q install -y --no-install-recommends --download-only $depends /root/ghostcast.deb" >"$base/log" 2>&1 ||
  die "its packages cannot be fetched: see $base/log"
cp -a "$base/root/." "$machine"

step 'starting it'
systemd-nspawn --quiet --directory "$machine" --register=no --keep-unit --private-network --boot --console=pipe >"$base/console" 2>&1 &
nspawn=$!
until_so 30 'the machine is up' pgrep --parent "$nspawn"
leader="$(pgrep --parent "$nspawn" | head -n 1)"
until_so 60 'its systemd is up' sh -c "nsenter -t $leader -m -p -n systemctl is-system-running | grep -qE 'running|degraded'"

lan_of "$leader"

# What there is of ours, by name or by owner: nothing before, nothing after.
ours() {
  inside sh -c 'find / -xdev \( -path /proc -o -path /root -o -path /var/cache/apt -o -path /var/log -o -path /var/lib/systemd/catalog \) -prune \
    -o \( -iname "*ghostcast*" -o -nouser -o -nogroup \) -print; getent passwd ghostcast; getent group ghostcast; ls -l /proc/[0-9]*/exe 2>/dev/null | grep ghostcast; true'
}
before="$(ours)"
[ -z "$before" ] || die "it is not clean: $before"

# ---- installed, started, watched --------------------------------------------------------------

step 'apt install ./ghostcast.deb'
# What it depends on is there before the clock starts, as Chromium is on a machine that has it.
# shellcheck disable=SC2086 # words
inside apt-get -q install -y --no-install-recommends $depends >"$base/apt" 2>&1 || die "see $base/apt"
BEGAN="$(date +%s.%N)"
export BEGAN
inside apt-get -q install -y --no-install-recommends /root/ghostcast.deb >"$base/apt" 2>&1 || die "see $base/apt"
inside systemctl is-enabled --quiet ghostcast
inside systemctl is-active --quiet ghostcast
step 'one session, watched'
beside "$python" tests/package/watch.py http://127.0.0.1:8765

step 'the sandbox of its browser'
# shellcheck disable=SC2016 # the machine's own shell expands it
inside sh -c '
  ! pgrep -u ghostcast -f -- "--no-sandbox" >/dev/null || { echo "it runs without a sandbox"; exit 1; }
  ghostcast=$(systemctl show -P MainPID ghostcast)
  zygote=$(pgrep -u ghostcast -f -- "--type=zygote" | tail -n 1)
  [ "$(readlink /proc/$zygote/ns/user)" != "$(readlink /proc/$ghostcast/ns/user)" ] || { echo "no user namespace of its own"; exit 1; }'

step 'doctor, as the user of the service'
inside setpriv --reuid ghostcast --regid ghostcast --init-groups ghostcast doctor --config /etc/ghostcast/ghostcast.toml

step 'settings are read again'
inside systemctl reload ghostcast
until_so 10 'the log says so' sh -c "nsenter -t $leader -m -p journalctl -u ghostcast --no-pager | grep -q 'read again'"

step 'killed, it comes back with what it keeps'
beside curl -fsS -X POST http://127.0.0.1:8765/sessions -d '{"session_name": "kept"}' >/dev/null
inside systemctl kill --kill-whom=main --signal=KILL ghostcast
until_so 20 'it is back, and has its session' sh -c "nsenter -t $leader -n curl -fsS http://127.0.0.1:8765/sessions/kept"

step 'the same package again, as an upgrade: a file of settings that was changed stays'
inside sh -c 'echo "# mine" >>/etc/ghostcast/ghostcast.toml'
inside apt-get -q install -y --reinstall --no-install-recommends /root/ghostcast.deb >"$base/apt" 2>&1 || die "see $base/apt"
inside grep -q '^# mine' /etc/ghostcast/ghostcast.toml
until_so 20 'it is back' sh -c "nsenter -t $leader -n curl -fsS http://127.0.0.1:8765/sessions/kept"
unset BEGAN
beside "$python" tests/package/watch.py http://127.0.0.1:8765

# ---- and gone ---------------------------------------------------------------------------------

step 'removed: settings and profiles stay'
inside apt-get -q remove -y ghostcast >"$base/apt" 2>&1 || die "see $base/apt"
inside test -e /etc/ghostcast/ghostcast.toml -a -d /var/lib/ghostcast
! inside pgrep -u ghostcast >/dev/null || die 'a process is left'
step 'purged: nothing stays'
inside apt-get -q purge -y ghostcast >"$base/apt" 2>&1 || die "see $base/apt"
left="$(ours)"
[ -z "$left" ] || die "left: $left"
say 'installed, run, watched, upgraded and purged; nothing is left'
