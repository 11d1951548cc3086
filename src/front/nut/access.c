#include "front/nut/internal.h"

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

/* Loopback is no network: an owner who names his networks does not mean to lock out this host. */
bool access_allows(const struct nut_server *s, enum access action, const union address *peer)
{
	const struct networks *set;

	if (!s->access)
		return true;
	set = confined_to(s->access, action);
	return !set->n || networks_hold(set, &peer->sa) || address_is_loopback(&peer->sa);
}

bool access_user_here(const struct config_user *user, const union address *peer)
{
	return !user->networks.n || networks_hold(&user->networks, &peer->sa);
}

bool access_needs_tls(const struct conn *conn)
{
	if (conn->secure || conn->server->require_tls == CONFIG_TLS_OPTIONAL)
		return false;
	return conn->server->require_tls == CONFIG_TLS_ALL || !address_is_loopback(&conn->peer.sa);
}
