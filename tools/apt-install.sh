#!/bin/sh
# As root: install Debian packages, starting none of the services they bring (nut-server has some).
# A missing or stale package list is fetched anew, but only when the installation fails without.
set -u
export DEBIAN_FRONTEND=noninteractive

log=$(mktemp)
policy=/usr/sbin/policy-rc.d
ours=

# shellcheck disable=SC2317 # the trap calls it
finish()
{
	[ -z "$ours" ] || rm -f "$policy"
	rm -f "$log"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

# Debian's own switch: exit status 101 forbids every start. Somebody else's file is left alone.
if [ ! -e "$policy" ]; then
	ours=yes
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
fi

install()
{
	apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@" >"$log" 2>&1 \
		</dev/null
}

install "$@" && exit 0

# A foreign source that cannot be reached is no reason to stop: the second try decides.
echo "Fetching the package lists (apt-get update)." >&2
apt-get -q -o DPkg::Lock::Timeout=300 update >"$log" 2>&1 </dev/null ||
	tail -n 3 "$log" >&2
install "$@" && exit 0

tail -n 30 "$log" >&2
echo "apt-get could not install: $*" >&2
exit 1
