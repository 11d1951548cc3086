#include "daemon/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define LOG_PART "daemon"
#include "util/log.h"

static const char DEFAULT_USER[] = "ups2000";

bool privileges_choose(struct privileges *privileges, const char *user, const char *group,
		       char *error, size_t error_size)
{
	const char *name = user ? user : DEFAULT_USER;
	const struct passwd *pw = getpwnam(name);
	const struct group *gr;

	memset(privileges, 0, sizeof(*privileges));
	privileges->uid = geteuid();
	privileges->gid = getegid();
	if (!pw && user) {
		snprintf(
			error, error_size,
			"there is no user \"%.64s\"; create it (useradd --system %.64s) or name another",
			user, user);
		return false;
	}
	if (geteuid() != 0) {
		if (user && pw->pw_uid != geteuid()) {
			snprintf(
				error, error_size,
				"only root can become user \"%.64s\"; start as root or without --user and "
				"run-as",
				user);
			return false;
		}
		return true;
	}
	if (!pw) {
		log_warning(
			"there is no user \"%s\", staying root; better create it: useradd --system "
			"--groups dialout %s",
			DEFAULT_USER, DEFAULT_USER);
		return true;
	}
	privileges->uid = pw->pw_uid;
	privileges->gid = pw->pw_gid;
	snprintf(privileges->user, sizeof(privileges->user), "%s", name);
	privileges->drop = pw->pw_uid != 0;
	if (group) {
		gr = getgrnam(group);
		if (!gr) {
			snprintf(error, error_size,
				 "there is no group \"%.64s\"; name one that exists", group);
			return false;
		}
		privileges->gid = gr->gr_gid;
	}
	return true;
}

bool privileges_drop(const struct privileges *privileges, char *error, size_t error_size)
{
	const char *what = NULL;

	if (privileges->drop) {
		if (initgroups(privileges->user, privileges->gid) < 0)
			what = "take the groups of";
		else if (setresgid(privileges->gid, privileges->gid, privileges->gid) < 0)
			what = "take the group of";
		else if (setresuid(privileges->uid, privileges->uid, privileges->uid) < 0)
			what = "become";
		if (what) {
			snprintf(error, error_size, "cannot %s user \"%s\": %s", what,
				 privileges->user, strerror(errno));
			return false;
		}
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		log_debug("no_new_privs is not possible: %s", strerror(errno));
	return true;
}
