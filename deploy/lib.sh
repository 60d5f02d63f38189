# shellcheck shell=bash
# shellcheck disable=SC2034 # the variables here are for those who source it
# What run.sh and test.sh share. Sourced, never run; the caller has set -euo pipefail.

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
target_dir="${CARGO_TARGET_DIR:-target}"
[[ "$target_dir" == /* ]] || target_dir="$root/$target_dir"
# Things that are built once and kept between runs; ignored by git.
kept_dir="$root/.run"
livekit_bin="${LIVEKIT_SERVER_BIN:-$kept_dir/livekit-server}"

say() { printf '%s\n' "$*"; }
step() { printf '==> %s\n' "$*"; }
warn() { printf 'warning: %s\n' "$*" >&2; }
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}
have() {
  local path
  path="$(type -P "$1")" && [ -x "$path" ]
}

: "${HOME:=$(cd ~ && pwd)}"
# rustup and Go's own installer put their commands where a non-login shell does not look; and who is not root
# looks for no daemon in the system's places.
for dir in "$HOME/.cargo/bin" /usr/local/go/bin /usr/sbin; do
  case ":$PATH:" in
    *":$dir:"*) ;;
    *) [ -d "$dir" ] && PATH="$PATH:$dir" ;;
  esac
done
export PATH

# ---- what the machine lacks -------------------------------------------------------------------

missing_packages=()
missing_reasons=()

# need PACKAGE REASON: put a Debian package on the list of what install_missing installs.
need() {
  missing_packages+=("$1")
  missing_reasons+=("$2")
}

have_browser() {
  have chromium-headless-shell || have chromium || have google-chrome
}

have_fonts() {
  local dir
  for dir in /usr/share/fonts /usr/local/share/fonts "$HOME/.local/share/fonts" "$HOME/.fonts"; do
    [ -d "$dir" ] || continue
    [ -n "$(find "$dir" -type f \( -name '*.ttf' -o -name '*.otf' -o -name '*.ttc' -o -name '*.pfb' \) -print -quit)" ] && return 0
  done
  return 1
}

# The package that has the browser: only Debian has the small headless shell.
browser_package() {
  if have apt-cache && [ -z "$(apt-cache search --names-only '^chromium-headless-shell$' 2>/dev/null)" ] &&
    [ -n "$(apt-cache search --names-only '^chromium$' 2>/dev/null)" ]; then
    echo chromium
  else
    echo chromium-headless-shell
  fi
}

need_browser() {
  have_browser || need "$(browser_package)" 'the browser that every room gets'
  # Chromium draws empty boxes for text when the machine has no font at all.
  have_fonts || need fonts-liberation 'fonts, so that pages have readable text'
}

# What Chromium needs in order to have windows, which the display shows.
need_windows() {
  have chromium || have google-chrome || need chromium 'the browser with windows, for the display'
}

# What services share a queue of jobs in.
need_databases() {
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || need postgresql 'a queue that services share'
  have redis-server || need redis-server 'the same, in Redis'
}

# A library is there for the linker when its -dev package is.
have_openssl() {
  have pkg-config && pkg-config --exists openssl
}

# The keymaps of the display.
have_xkbcommon() {
  have pkg-config && pkg-config --exists xkbcommon
}

need_compilers() {
  have cmake || need cmake 'builds libjpeg-turbo (JPEG to video planes)'
  have nasm || need nasm 'assembles the fast paths of libjpeg-turbo and OpenH264'
  have make || need make 'runs what cmake generates'
  # rustc links with cc; the encoder is C++.
  { have cc && have c++; } || need g++ 'C and C++ compiler for the codecs, and the linker'
  have pkg-config || need pkg-config 'finds system libraries for the build'
  have_openssl || need libssl-dev 'DTLS with viewers of any certificate'
  have_xkbcommon || need libxkbcommon-dev 'keymaps of the display that Chromium draws to'
}

# Installs the list in one go. Says what and why first, and asks for nothing when nothing lacks.
install_missing() {
  [ "${#missing_packages[@]}" -eq 0 ] && return 0
  local i list="${missing_packages[*]}"
  step "this machine lacks ${#missing_packages[@]} package(s):"
  for i in "${!missing_packages[@]}"; do
    printf '      %-26s %s\n' "${missing_packages[$i]}" "${missing_reasons[$i]}"
  done
  have apt-get || die "there is no apt-get here. Install the equivalents of these Debian packages, then run this again: $list"
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    have sudo || die "not root and no sudo here. As root: apt-get install $list"
    as_root=(sudo)
  fi
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q)
  step "installing by apt: $list"
  # A stale list names packages that the mirror no longer has. One unreachable third-party source
  # makes the update fail although the packages wanted may well be there: let the install decide.
  "${apt[@]}" update || warn 'apt-get update failed; trying with the lists at hand'
  "${apt[@]}" install -y --no-install-recommends "${missing_packages[@]}" ||
    die "apt-get install failed; see its message above. Wanted: $list"
  missing_packages=()
  missing_reasons=()
}

need_rust() {
  have cargo || die 'Rust is missing. Install it from https://rustup.rs (any recent rustup: the toolchain is named in rust-toolchain.toml), then run this again'
}

# ---- the pinned LiveKit server ----------------------------------------------------------------

# One line for a person when livekit-server can not be had here; nothing when it can.
livekit_obstacle() {
  if [ -n "${LIVEKIT_SERVER_BIN:-}" ]; then
    [ -x "$LIVEKIT_SERVER_BIN" ] || echo "LIVEKIT_SERVER_BIN=$LIVEKIT_SERVER_BIN is not an executable file"
  elif ! have go && ! "$root/deploy/livekit-server/build.sh" --current "$kept_dir"; then
    echo 'Go is missing (https://go.dev/dl): it builds the LiveKit server'
  fi
}

# Makes livekit_bin exist, in the pinned version unless it is someone's own.
build_livekit() {
  [ -n "${LIVEKIT_SERVER_BIN:-}" ] || "$root/deploy/livekit-server/build.sh" "$kept_dir"
}

# ---- ports and HTTP, without curl or ss -------------------------------------------------------

# port_free tcp|udp PORT: is nobody bound to it, on any address?
port_free() {
  local hex state file files=()
  printf -v hex '%04X' "$2"
  state='0A' # listening; a closing TCP connection does not stand in a listener's way
  [ "$1" = udp ] && state='..'
  for file in "/proc/net/$1" "/proc/net/${1}6"; do
    [ -r "$file" ] && files+=("$file")
  done
  if [ "${#files[@]}" -eq 0 ]; then
    # No /proc (not Linux): all that can be tried is a connection.
    [ "$1" = udp ] || ! (exec 3<>"/dev/tcp/127.0.0.1/$2") 2>/dev/null
    return
  fi
  ! grep -qE "^ *[0-9]+: [0-9A-F]+:$hex [0-9A-F]+:[0-9A-F]+ $state " "${files[@]}"
}

# http_get HOST PORT PATH, in a subshell: asks on descriptor 3; is the answer a 200 within two seconds?
http_get() {
  exec 3<>"/dev/tcp/$1/$2" || exit 1
  printf 'GET %s HTTP/1.0\r\nHost: %s:%s\r\n\r\n' "$3" "$1" "$2" >&3
  read -r -t 2 _ code _ <&3 && [ "$code" = 200 ]
}
http_ok() { (http_get "$@") 2>/dev/null; }
# What it answers, headers and all, when that is a 200.
http_body() { (http_get "$@" && timeout 5 cat <&3) 2>/dev/null; }

# ---- networks of a test's own -------------------------------------------------------------------

# lan_of PID: an address besides its loopback for the network of a process; a Chromium that finds none tells
# a player of no candidates.
lan_of() {
  nsenter --target "$1" --net sh -ec '
    ip link set lo up
    ip link add lan0 type veth peer name lan1
    ip addr add 10.99.0.1/24 dev lan0
    ip link set lan0 up
    ip link set lan1 up'
}
