#!/usr/bin/env bash
# All that is released, in one folder: the program, a tarball, a Debian package, a bill of materials, checksums.
#
#   deploy/package.sh [--binary PATH] [--out DIRECTORY] [--quick] [--no-deb] [--no-sbom]
#
#   --binary PATH    package this program and build none
#   --out DIRECTORY  where it goes (target/dist)
#   --quick          compress less: for trying a package
#   --no-deb         no Debian package; --no-sbom, no bill of materials: what needs a tool that is not here
#
# The version is the one in Cargo.toml. What is skipped is said. Tools that are missing (cargo-deb,
# cargo-cyclonedx) are built once, in the versions named here, and kept in .run/tools.

set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cargo_deb=3.8.0
cargo_cyclonedx=0.5.9
# What a release should weigh at most.
bytes_max=$((40 * 1000 * 1000))

usage() { sed -n '2,/^$/{/^$/d;s/^# \{0,1\}//;p}' "$root/deploy/package.sh"; }
given='' out="$target_dir/dist" quick='' deb=yes sbom=yes
while [ "$#" -gt 0 ]; do
  case "$1" in
    --binary | --out)
      [ "$#" -gt 1 ] || die "$1 wants a path (deploy/package.sh --help)"
      if [ "$1" = --binary ]; then given="$(realpath "$2")"; else out="$(realpath -m "$2")"; fi
      shift 2
      ;;
    --quick) quick=yes && shift ;;
    --no-deb) deb='' && shift ;;
    --no-sbom) sbom='' && shift ;;
    -h | --help) usage && exit ;;
    *) die "unknown option $1 (deploy/package.sh --help)" ;;
  esac
done
cd "$root"

skipped=()
skip() { skipped+=("$1") && step "skipped: $1"; }

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

version="$(sed -n '/^\[package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' Cargo.toml)"
[ -n "$version" ] || die 'Cargo.toml names no version'
# The same sources make the same archives.
SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}"
export SOURCE_DATE_EPOCH

# tool NAME VERSION: the cargo subcommand, of this machine or of .run/tools.
tool() {
  PATH="$kept_dir/tools/bin:$PATH"
  have "$1" && return
  step "building $1 $2 (once, some minutes)"
  cargo install --locked --root "$kept_dir/tools" "$1" --version "$2"
}

# ---- the program ------------------------------------------------------------------------------

if [ -n "$given" ]; then
  have "$given" || die "--binary $given is not a program that can be run"
  skip "the build; $given is packaged"
  built="$given"
else
  need_compilers
  install_missing
  need_rust
  step 'building ghostcast'
  cargo build --release --locked --bin ghostcast
  built="$target_dir/release/ghostcast"
fi
mkdir -p "$work/target/release"
program="$work/target/release/ghostcast"
cp "$built" "$program"
strip --strip-all "$program"
said="$("$program" --version)"
[ "$said" = "ghostcast $version" ] || die "$built is \"$said\", and Cargo.toml says $version"
bytes="$(stat -c %s "$program")"
step "ghostcast $version, stripped: $((bytes / 1000 / 1000)) MB"
if [ "$bytes" -gt "$bytes_max" ]; then
  warn "that is more than the $((bytes_max / 1000 / 1000)) MB that a release should weigh; it is packaged all the same"
fi

arch="$(uname -m)"
name="ghostcast-$version-linux-$arch"
rm -rf "$out"
mkdir -p "$out"
cp "$program" "$out/ghostcast"

# ---- the tarball ------------------------------------------------------------------------------

step "$name.tar.gz"
folder="$work/$name"
mkdir -p "$folder/docs"
cp "$program" README.md CHANGELOG.md LICENSE deploy/config.example.toml deploy/seccomp.json "$folder"
cp -r deploy/systemd deploy/proxy "$folder"
cp docs/src/*.md docs/src/*.png "$folder/docs"
level=9
[ -z "$quick" ] || level=1
tar --create --directory "$work" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner "$name" |
  gzip -n "-$level" >"$out/$name.tar.gz"

# ---- the Debian package -----------------------------------------------------------------------

if [ -z "$deb" ]; then
  skip 'the Debian package (--no-deb)'
elif ! have dpkg; then
  skip 'the Debian package: without dpkg nobody knows the libraries that it depends on'
else
  tool cargo-deb "$cargo_deb"
  step 'the Debian package (cargo deb)'
  # It takes the program from where a build leaves it: here, from a folder that has nothing else.
  CARGO_TARGET_DIR="$work/target" cargo deb --no-build --no-strip --output "$out/" ${quick:+--fast}
fi

# ---- what is in it ----------------------------------------------------------------------------

if [ -z "$sbom" ]; then
  skip 'the bill of materials (--no-sbom)'
else
  tool cargo-cyclonedx "$cargo_cyclonedx"
  step 'the bill of materials (CycloneDX)'
  # It writes beside each manifest.
  cargo cyclonedx --format json --spec-version 1.5 --override-filename "ghostcast-$version.cdx" --quiet
  # Where it was made is nobody's matter.
  sed "s#path+file://$root#path+file:///ghostcast#g" "ghostcast-$version.cdx.json" >"$out/ghostcast-$version.cdx.json"
  find . -path ./target -prune -o -name "ghostcast-$version.cdx.json" -exec rm {} +
fi

step 'checksums'
(cd "$out" && sha256sum -- * >"$work/SHA256SUMS" && mv "$work/SHA256SUMS" .)
say ''
(cd "$out" && ls -l -- *)
[ "${#skipped[@]}" -eq 0 ] || printf 'skipped: %s\n' "${skipped[@]}"
