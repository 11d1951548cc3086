#pragma once

#include <stdbool.h>
#include <stddef.h>

struct config_access;
struct config_user;
struct sockaddr;

/* What users and addresses may do, by the configuration. Users are looked up anew each time: a
 * reload acts on who is here already. */

/* What may be confined to networks (section access). */
enum access {
	ACCESS_CONNECT,
	ACCESS_LOGIN,
	ACCESS_SET,
	ACCESS_INSTCMD,
	ACCESS_FSD,
};

/**
 * Is this address in the networks that action is confined to? Loopback always is: an owner who
 * names his networks does not mean to lock out this host.
 *
 * @access  NULL: everyone
 */
bool rights_from(const struct config_access *access, enum access action,
		 const struct sockaddr *peer);

/** NULL if there is none of that name. */
const struct config_user *rights_user(const struct config_user *users, size_t n, const char *name);
/** Is the address in the user's own networks? */
bool rights_here(const struct config_user *user, const struct sockaddr *peer);
/** @action  CONFIG_ACTION_*; PRIMARY stands for the right to log in and to announce FSD, too */
bool rights_act(const struct config_user *user, unsigned action);
/** An instant command. */
bool rights_command(const struct config_user *user, const char *command);
