#!/bin/sh
# A UPS in software, the daemon reading it, and keys to play with: demo.sh BIN-DIR
# Without a terminal it takes a short tour by itself; exit status 0 if everything was seen.
set -u

bin=$(cd "$1" && pwd) || exit 1
dir=$(mktemp -d "${TMPDIR:-/tmp}/ups2000-demo.XXXXXX") || exit 1
socket=$dir/ups2000.sock
sim_pid='' daemon_pid='' tty=''
interactive=
[ "${CI:-}" = true ] || ! [ -t 0 ] || ! [ -t 1 ] || interactive=yes

# Everything that was started ends here, however the demo ends.
# shellcheck disable=SC2317 # the trap calls it
finish()
{
	[ -z "$tty" ] || stty "$tty"
	for pid in $daemon_pid $sim_pid; do
		kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
	done
	rm -rf "$dir"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

fail()
{
	echo "The demo did not work: $*" >&2
	for log in sim daemon; do
		[ -s "$dir/$log.log" ] || continue
		echo "------- the end of the $log's log:" >&2
		tail -n 20 "$dir/$log.log" >&2
	done
	exit 1
}

now_ms()
{
	echo $(($(date +%s%N) / 1000000))
}

# Is nobody listening on this TCP port of any address?
port_free()
{
	! grep -qi "^ *[0-9]*: [0-9A-F]*:$(printf %04X "$1") [0-9A-F]*:0000 0A" \
		/proc/net/tcp /proc/net/tcp6 2>/dev/null
}

# One line to the simulator's control socket; prints its answer.
sim()
{
	answer=$(echo "$*" | socat -t 2 - "UNIX-CONNECT:$dir/sim.sock") || answer="error: no answer"
	case $answer in ok*) return 0 ;; esac
	echo "simulator: $answer" >&2
	return 1
}

# A page of the daemon, as browsers get it.
web_get()
{
	printf 'GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$1" |
		socat -t 10 - "TCP:127.0.0.1:$web" 2>/dev/null
}

# What a NUT client sees, asked the way NUT clients ask.
nut_get()
{
	echo "GET VAR demo $1" | socat -t 2 - "TCP:127.0.0.1:$port" 2>/dev/null |
		sed -n 's/^VAR demo [^ ]* "\(.*\)"$/\1/p'
}

alive()
{
	kill -0 "$sim_pid" 2>/dev/null || fail "the simulator ended"
	kill -0 "$daemon_pid" 2>/dev/null || fail "the daemon ended"
}

# Is the word among those of ups.status?
has_word()
{
	case " $value " in *" $1 "*) return 0 ;; esac
	return 1
}

has_any()
{
	[ -n "$value" ]
}

# Is the number within 3 of this one? (Readings of a UPS wander a little.)
near()
{
	whole=${value%%.*}
	[ -n "$whole" ] && [ $((whole - $1)) -le 3 ] && [ $(($1 - whole)) -le 3 ]
}

# wait_for VARIABLE TEST ARG: until what a NUT client sees passes; leaves it in $value.
wait_for()
{
	variable=$1
	shift
	end=$(($(now_ms) + 20000))
	while :; do
		value=$(nut_get "$variable")
		"$@" && return 0
		alive
		[ "$(now_ms)" -lt "$end" ] || return 1
		sleep 0.02
	done
}

# act VARIABLE TEST ARG COMMAND...: tell the simulator something, say when a NUT client saw it.
act()
{
	seen_in=$1 test=$2 arg=$3
	shift 3
	sim "$@" || return 1
	start=$(now_ms)
	if ! wait_for "$seen_in" "$test" "$arg"; then
		echo "  $seen_in is \"$value\", and did not change as expected within 20 s"
		return 1
	fi
	echo "  a NUT client sees $seen_in \"$value\" $(($(now_ms) - start)) ms later, its own asking included"
}

cli()
{
	"$bin/ups2000" --socket "$socket" "$@"
}

start_all()
{
	port=3493
	while ! port_free $port; do
		port=$((port + 1))
	done
	web=8493
	while ! port_free $web; do
		web=$((web + 1))
	done

	"$bin/ups2000-sim" --link "$dir/ttyUPS" --control "$dir/sim.sock" \
		>"$dir/sim.log" 2>&1 </dev/null &
	sim_pid=$!

	umask 077
	cat >"$dir/ups2000.conf" <<END
ups "demo" {
	port = "$dir/ttyUPS"
	desc = "A UPS in software"
}
nut { listen = {"127.0.0.1:$port"} }
http { listen = {"127.0.0.1:$web"} }
user "demo" {
	password = "demo"
	actions = {"SET", "FSD"}
	instcmds = {"ALL"}
}
END
	# As the user who runs the demo: the simulator's port belongs to nobody else.
	"$bin/ups2000d" --config "$dir/ups2000.conf" --state-dir "$dir" --runtime-dir "$dir" \
		--socket "$socket" --user "$(id -un)" >"$dir/daemon.log" 2>&1 </dev/null &
	daemon_pid=$!

	start=$(now_ms)
	wait_for ups.status has_word OL || fail "no data within 20 s"
	echo "Running; a NUT client had the status $(($(now_ms) - start)) ms after the start:"
	echo "  ups2000-sim   a UPS2000 in software, on the serial line $dir/ttyUPS"
	echo "  ups2000d      reads it, serves NUT clients on 127.0.0.1:$port and the page on 127.0.0.1:$web"
	echo
	web_get / | head -n 1 | grep -q ' 200 ' || fail "the page is not served"
	for variable in ups.serial battery.charge input.voltage; do
		wait_for "$variable" has_any || fail "no $variable within 20 s"
	done
}

show()
{
	cli status demo || fail "ups2000 status"
	echo
}

try_next()
{
	echo "In another terminal:"
	if command -v upsc >/dev/null 2>&1; then
		echo "  upsc demo@localhost:$port"
	else
		echo "  upsc demo@localhost:$port                   (Debian package nut-client)"
	fi
	echo "  $bin/ups2000 --socket $socket watch"
	echo "  $bin/ups2000 --socket $socket events --follow"
	echo
}

link()
{
	echo "The page:  http://127.0.0.1:$web/     (log in as \"demo\", password \"demo\", to give commands)"
}

tour()
{
	link
	echo "Mains off:"
	act ups.status has_word OB mains off || fail "a mains failure was not seen"
	echo "Mains back:"
	act ups.status has_word OL mains on || fail "the return of the mains was not seen"
	echo "The tour is over; everything was seen."
}

keys()
{
	echo "Keys: m mains   l load   b battery   u unplug or plug the adapter   s status"
	echo "      w watch here (q comes back)   q quit"
}

play()
{
	mains=on plugged=yes load=30
	tty=$(stty -g)
	keys
	echo
	link
	echo "Open it, then press m here: it changes before the finger is off the key."
	while :; do
		alive
		stty -icanon -echo min 0 time 5
		key=$(dd bs=1 count=1 2>/dev/null)
		stty "$tty"
		case $key in
		m)
			if [ $mains = on ]; then
				echo "Mains off:"
				mains=off
				act ups.status has_word OB mains off
			else
				echo "Mains back:"
				mains=on
				act ups.status has_word OL mains on
			fi
			;;
		l)
			load=$((load < 90 ? load + 20 : 30))
			echo "Load $load %:"
			act ups.load near $load load $load
			;;
		b)
			echo "Battery drained to 15 %:"
			act battery.charge near 15 battery 15%
			[ $mains = off ] || echo "  (with the mains off, m, it now gets low soon)"
			;;
		u)
			if [ $plugged = yes ]; then
				plugged=no
				sim unplug && echo "Adapter unplugged; 10 s later the data are called stale. u plugs it in again."
			else
				plugged=yes
				sim replug && echo "Adapter plugged in again, as another device node."
			fi
			sleep 1
			echo "The daemon's last events:"
			cli events | tail -n 3
			;;
		s)
			show
			;;
		w)
			cli watch demo
			keys
			;;
		q)
			return
			;;
		"") ;;
		*)
			keys
			;;
		esac
	done
}

start_all
show
try_next
if [ -n "$interactive" ]; then
	play
else
	tour
fi
