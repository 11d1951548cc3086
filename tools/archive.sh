#!/bin/sh
# The sources of the last commit as an archive that builds without a network:
# archive.sh DIR writes DIR/ups2000-VERSION.tar.xz and prints its name.
set -eu
cd "$(dirname "$0")/.."

version=$(sed -n 's/^project(ups2000 VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
name=ups2000-$version
mkdir -p "$1"
out=$(cd "$1" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

if git rev-parse -q --verify HEAD >/dev/null 2>&1; then
	time=$(git log -1 --format=%ct)
	git archive --prefix="$name/" HEAD | tar -x -C "$tree"
	[ -z "$(git status --porcelain)" ] ||
		echo "archive: what is not committed is not in it" >&2
else	# these sources came as an archive themselves
	time=$(date -r CMakeLists.txt +%s)
	mkdir "$tree/$name"
	tar -c --exclude=./build* --exclude=./obj . | tar -x -C "$tree/$name"
fi

# The charts of the page are another project's; npm checks what it fetches against the lock file. The
# readable form is what Debian asks for beside the packed one.
page=$tree/$name/src/front/http/page
if [ -e "$page/../charts.cmake" ] && ! [ -e "$page/vendor" ]; then
	work=$(mktemp -d)
	trap 'rm -rf "$tree" "$work"' EXIT
	cp "$page/package.json" "$page/package-lock.json" "$work"
	# Its cache is here too: the home directory may not be ours, or not exist.
	(cd "$work" && npm_config_cache=$work/cache npm ci --ignore-scripts --no-audit --no-fund \
		--loglevel=error --no-update-notifier >/dev/null)
	plot=$work/node_modules/uplot
	mkdir -p "$page/vendor" "$tree/$name/debian/missing-sources"
	cp "$plot/dist/uPlot.iife.min.js" "$plot/dist/uPlot.min.css" "$page/vendor/"
	cp "$plot/LICENSE" "$page/vendor/uPlot.LICENSE.txt"
	cp "$plot/dist/uPlot.iife.js" "$tree/$name/debian/missing-sources/"
	find "$page/vendor" "$tree/$name/debian/missing-sources" -type f -exec chmod 644 {} +
fi

# The same commit gives the same bytes.
tar -C "$tree" --sort=name --mtime="@$time" --owner=0 --group=0 --numeric-owner -c "$name" |
	xz -6 >"$out/$name.tar.xz"
echo "$out/$name.tar.xz"
