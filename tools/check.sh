#!/bin/sh
# Everything CI checks; ./dev check calls it. One line per stage; its last line counts the tests.
set -u
cd "$(dirname "$0")/.." || exit 1

fast=
for arg; do
	case $arg in
	--fast)
		fast=yes
		;;
	*)
		echo "./dev check: unknown option \"$arg\"; there is --fast" >&2
		exit 64
		;;
	esac
done

tools/need.sh build check format || exit 1

out=$PWD/build-check
mkdir -p "$out/log"
export LC_ALL=C.UTF-8	# the same for everybody, whatever their own
passed=0 failed=0 skipped=0
# Run once, with the gcc build: virtual months, the whole command matrix, and what pytest runs too.
long='^(simulate|unit_matrix|nut_conformance)$'
broken=" "	# stages that failed; what stands on them is left out

# The number before a word in the last line of a log that has one: count LOG WORDS.
count()
{
	sed -n "s/.*[^0-9]\([0-9][0-9]*\) $2.*/\1/p" "$1" | tail -n 1 | grep . || echo 0
}

# Results of ctest and pytest, from the log of the stage that just ran.
count_tests()
{
	case $1 in
	*-test)
		bad=$(sed -n 's/.* \([0-9]*\) tests failed out of .*/\1/p' "$2" | tail -n 1)
		all=$(sed -n 's/.* tests failed out of \([0-9]*\).*/\1/p' "$2" | tail -n 1)
		bad=${bad:-0} good=$((${all:-0} - ${bad:-0})) left=0
		;;
	integration | browser | package)
		grep -E '(passed|failed|errors?|skipped).* in [0-9.]+s' "$2" | tail -n 1 |
			sed 's/^/ /' >"$2.last"
		good=$(count "$2.last" passed)
		bad=$(($(count "$2.last" failed) + $(count "$2.last" error)))
		left=$(count "$2.last" skipped)
		rm "$2.last"
		;;
	*)
		good=0 bad=0 left=0
		;;
	esac
}

# stage NAME FUNCTION [ARG...]: run it, with its output in a log; show the log's end if it fails.
stage()
{
	name=$1
	log=$out/log/$1.log
	shift
	start=$(date +%s%N)
	("$@") >"$log" 2>&1 </dev/null
	rc=$?
	ms=$((($(date +%s%N) - start) / 1000000))

	count_tests "$name" "$log"
	note=
	[ $((good + bad + left)) -eq 0 ] || note="  $good passed, $bad failed"
	[ "$left" -eq 0 ] || note="$note, $left skipped"
	if [ $rc -eq 0 ]; then
		verdict=ok
	else
		verdict=FAILED
		broken="$broken$name "
		[ "$bad" -gt 0 ] || bad=1
	fi
	passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + left))

	printf '%-7s %-18s %4d.%d s%s\n' $verdict "$name" $((ms / 1000)) $((ms % 1000 / 100)) "$note"
	if [ $rc -ne 0 ]; then
		echo "------- the end of $log:"
		tail -n 60 "$log"
		echo "-------"
	fi
	return $rc
}

# Only if a stage did not fail.
after()
{
	case $broken in *" $1 "*)
		shift
		printf '%-7s %-18s (needs a stage that failed)\n' "-" "$2"
		return 1
		;;
	esac
	shift
	"$@"
}

layout()
{
	find src include examples tests -name '*.[ch]' -exec clang-format --dry-run -Werror {} + 2>&1 |
		grep ' error: ' || return 0
	echo "./dev fmt repairs these"
	return 1
}

scripts()
{
	shellcheck -S warning dev .ci/run tools/*.sh
}

# Manual pages lint clean, and links between our pages lead somewhere.
documents()
{
	bad=0
	for page in docs/man/*.[1-8]; do
		[ -e "$page" ] || continue
		mandoc -T lint -W warning "$page" || bad=1
	done
	for page in *.md docs/*.md; do
		dead=$(grep -o '\](.[^)]*)' "$page" | sed 's/^](//; s/[)#].*//' |
			while read -r link; do
				case $link in "" | *:*) continue ;; esac
				[ -e "$(dirname "$page")/$link" ] || echo "$link"
			done | sort -u | tr '\n' ' ')
		[ -n "$dead" ] || continue
		echo "$page: these links lead nowhere:" "$dead"
		bad=1
	done
	return $bad
}

compile()	# DIR OPTION...
{
	dir=$out/$1
	shift
	cmake -S . -B "$dir" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DU2K_WERROR=ON "$@" &&
		ninja -C "$dir"
}

# Sanitizers write to files, so that a finding in a process which some test started and forgot
# about fails the stage all the same.
findings=$out/findings
watched()
{
	rm -rf "$findings"
	mkdir -p "$findings"
	chmod 1777 "$findings"
	ASAN_OPTIONS=log_path=$findings/asan:detect_stack_use_after_return=1
	UBSAN_OPTIONS=log_path=$findings/ubsan:print_stacktrace=1
	export ASAN_OPTIONS UBSAN_OPTIONS

	"$@"
	rc=$?
	for f in "$findings"/*; do
		[ -e "$f" ] || continue
		echo "==== $f"
		cat "$f"
		rc=1
	done
	return $rc
}

run_ctest()	# DIR OPTION...
{
	dir=$out/$1
	shift
	ctest --test-dir "$dir" --output-on-failure --no-tests=error -j "$(nproc)" "$@"
}

# Debian's own pytest, whatever python3 comes first in PATH.
run_pytest()
{
	U2K_MATRIX=small UPS2000_BIN=$out/$1/bin NUT_FIXTURE=$out/$1/bin/nut_fixture \
		timeout -k 30 2400 /usr/bin/python3 -m pytest -q -p no:cacheprovider \
		-n 3 --dist loadgroup -ra --durations=15 tests/integration
}

# The page in a real Chromium. npm checks what it fetches against the lock file.
run_browser()	# DIR
{
	axe=$out/browser
	mkdir -p "$axe" && cp tests/browser/package.json tests/browser/package-lock.json "$axe" &&
		(cd "$axe" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) || return 1
	AXE_CORE=$axe/node_modules/axe-core/axe.min.js UPS2000_BIN=$out/$1/bin \
		timeout -k 30 600 /usr/bin/python3 -m pytest -q -p no:cacheprovider -n 2 -ra --durations=10 \
		tests/browser
}

# Debian packages, the library and the units; the programs beside them come from DIR.
run_package()	# DIR
{
	UPS2000_BIN=$out/$1/bin timeout -k 30 900 /usr/bin/python3 -m pytest -q -p no:cacheprovider \
		-ra --durations=10 tests/package
}

tour()
{
	CI=true timeout -k 10 120 tools/demo.sh "$out/gcc/bin"
}

stage layout layout
stage scripts scripts
stage documents documents
stage gcc compile gcc -DCMAKE_C_COMPILER=gcc
after gcc stage gcc-test run_ctest gcc
after gcc stage demo tour
if [ -z "$fast" ]; then
	stage clang compile clang -DCMAKE_C_COMPILER=clang
	after clang stage clang-test run_ctest clang -E "$long"
	stage sanitized compile sanitized -DCMAKE_C_COMPILER=gcc -DU2K_SANITIZE=address,undefined
	after sanitized stage sanitized-test watched run_ctest sanitized -E "$long"
	after sanitized stage integration watched run_pytest sanitized
	after sanitized stage browser watched run_browser sanitized
	after gcc stage package run_package gcc
fi

[ "$skipped" -eq 0 ] || skips=", $skipped skipped"
echo "$passed passed, $failed failed${skips:-}"
[ "$failed" -eq 0 ]
