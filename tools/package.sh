#!/bin/sh
# Debian packages of the last commit: package.sh [DIR] puts them, and the source package, into DIR
# (build-package). The archive's sources are built, not this tree, so nothing else gets in.
set -eu
cd "$(dirname "$0")/.."

out=${1:-build-package}
mkdir -p "$out"
out=$(cd "$out" && pwd)
archive=$(tools/archive.sh "$out")
tree=$out/$(basename "$archive" .tar.xz)
rm -rf "$tree" "$out"/*.deb "$out"/*.dsc "$out"/*.changes "$out"/*.buildinfo
tar -xJf "$archive" -C "$out"
cd "$tree"

# ./dev check runs the tests; a build for a Debian archive would leave nocheck out.
jobs=$(nproc)
export DEB_BUILD_OPTIONS="nocheck parallel=$jobs ${DEB_BUILD_OPTIONS:-}" DEB_BUILD_PROFILES=nocheck
dpkg-buildpackage -us -uc >"$out/package.log" 2>&1 || {
	tail -n 40 "$out/package.log" >&2
	echo "package: the build failed; the whole log is $out/package.log" >&2
	exit 1
}
rm -rf "$tree"
ls "$out"/*.deb
