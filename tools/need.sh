#!/bin/sh
# Makes sure that the Debian packages of some groups are there: need.sh GROUP...
# Silent when nothing is missing.
set -eu

# group    package          command it brings, or - to ask dpkg    what for
packages()
{
	cat <<'END'
build      gcc              gcc            compiling
build      libc6-dev        -              compiling
build      cmake            cmake          building
build      ninja-build      ninja          building
build      pkg-config       pkg-config     building
build      libevent-dev     -              event_loop
build      libconfuse-dev   -              configuration_files
build      libjansson-dev   -              JSON
build      libsqlite3-dev   -              history
build      libcrypt-dev     -              password_hashes
build      libssl-dev       -              TLS
build      npm              npm            the_page's_charts
package    debhelper        dh             Debian_packages
package    xz-utils         xz             archives
demo       socat            socat          talking_to_the_demo
format     clang-format     clang-format   source_layout
check      clang            clang          the_second_compiler
check      libcmocka-dev    -              unit_tests
check      mandoc           mandoc         manual_pages
check      shellcheck       shellcheck     shell_scripts
check      python3          python3        integration_tests
check      python3-pytest   -              integration_tests
check      python3-pytest-xdist -         integration_tests_side_by_side
check      python3-nut      -              a_NUT_client_to_test_with
check      nut-client       upsc           NUT_clients_to_test_with
check      nut-server       upsd           the_stock_server_to_compare_with
check      nut-modbus       -              the_stock_driver_to_judge_the_simulator
check      mbpoll           mbpoll         a_Modbus_client_to_judge_the_simulator
check      socat            socat          integration_tests
check      sqlite3          sqlite3        to_judge_the_history_database
check      python3-pymodbus -              a_Modbus_client_to_judge_the_simulator
check      python3-serial-asyncio -        what_pymodbus_needs
check      iproute2         ip             network_namespaces_for_cut_cables
check      tmux             tmux           the_live_view's_tests
check      procps           pgrep          integration_tests
check      curl             curl           an_HTTP_client_to_test_with
check      prometheus       promtool       a_scraper_to_test_with
check      python3-jsonschema -        answers_against_their_schemas
check      openssl          openssl        a_TLS_client_to_test_with
check      zsh              zsh            its_completion
check      fish             fish           its_completion
check      libnss3-tools    certutil       the_certificates_of_Debian's_upsmon
check      chromium         chromium       the_page's_tests
check      chromium-driver  chromedriver   the_page's_tests
check      python3-selenium -              the_page's_tests
check      npm              npm            the_page's_tests
check      debhelper        dh             Debian_packages
check      lintian          lintian        to_judge_the_packages
check      debootstrap      debootstrap    to_install_the_packages_somewhere
check      systemd          systemd-analyze to_judge_the_service_units
check      udev             udevadm        to_judge_the_udev_rules
bench      python3          python3        the_benchmark
bench      nut-client       upsc           the_stock_figures
bench      nut-server       upsd           the_stock_figures
bench      nut-modbus       -              the_stock_figures
bench      chromium         chromium       the_page's_figures
bench      chromium-driver  chromedriver   the_page's_figures
bench      python3-selenium -              the_page's_figures
END
}

# nut's programs live in sbin, which is not everybody's PATH.
PATH=$PATH:/usr/sbin:/sbin

present()	# package, command
{
	if [ "$2" != - ]; then
		command -v "$2" >/dev/null 2>&1
	else
		dpkg-query -W -f='${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
	fi
}

missing=
while read -r group package command what; do
	case " $* " in *" $group "*) ;; *) continue ;; esac
	case " $missing " in *" $package "*) continue ;; esac
	if ! command -v dpkg-query >/dev/null 2>&1 && [ "$command" = - ]; then
		continue	# not a Debian: only commands can be looked for, CMake finds the rest
	fi
	present "$package" "$command" && continue
	[ -n "$missing" ] || echo "Debian packages that are not here yet:" >&2
	printf '  %-16s %s\n' "$package" "$(echo "$what" | tr _ ' ')" >&2
	missing="$missing $package"
done <<END
$(packages)
END
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
	echo "There is no apt-get: install what corresponds to them by hand, then try again." >&2
	exit 1
fi
if [ -n "${DEV_NO_INSTALL:-}" ]; then
	echo "DEV_NO_INSTALL is set; as root: apt-get install --no-install-recommends$missing" >&2
	exit 1
fi

if [ "$(id -u)" -eq 0 ]; then
	root=
elif command -v sudo >/dev/null 2>&1; then
	root=sudo
	[ "${CI:-}" != true ] || root="sudo -n"
else
	echo "Neither root nor sudo; as root: apt-get install --no-install-recommends$missing" >&2
	exit 1
fi

echo "Installing them with apt-get${root:+ (through sudo)}; none of their services is started." >&2
# shellcheck disable=SC2086 # both are lists of words
$root sh "$(dirname "$0")/apt-install.sh" $missing
