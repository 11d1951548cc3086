#include "auth/rights.h"

#include <string.h>
#include <strings.h>

#include "daemon/config.h"

static const struct networks *confined_to(const struct config_access *access, enum access action)
{
	switch (action) {
	case ACCESS_CONNECT:
		return &access->connect;
	case ACCESS_LOGIN:
		return &access->login;
	case ACCESS_SET:
		return &access->set;
	case ACCESS_INSTCMD:
		return &access->instcmd;
	case ACCESS_FSD:
		break;
	}
	return &access->fsd;
}

bool rights_from(const struct config_access *access, enum access action,
		 const struct sockaddr *peer)
{
	const struct networks *set;

	if (!access)
		return true;
	set = confined_to(access, action);
	return !set->n || networks_hold(set, peer) || address_is_loopback(peer);
}

const struct config_user *rights_user(const struct config_user *users, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(users[i].name, name) == 0)
			return &users[i];
	return NULL;
}

bool rights_here(const struct config_user *user, const struct sockaddr *peer)
{
	return !user->networks.n || networks_hold(&user->networks, peer);
}

bool rights_act(const struct config_user *user, unsigned action)
{
	if (action == CONFIG_ACTION_LOGIN || action == CONFIG_ACTION_FSD)
		action |= CONFIG_ACTION_PRIMARY;
	return user->actions & action;
}

bool rights_command(const struct config_user *user, const char *command)
{
	for (size_t i = 0; i < user->n_instcmds; i++)
		if (strcasecmp(user->instcmds[i], "ALL") == 0 ||
		    strcasecmp(user->instcmds[i], command) == 0)
			return true;
	return false;
}
