#include "front/nut/internal.h"

#include "daemon/config.h"

bool access_allows(const struct nut_server *s, enum access action, const union address *peer)
{
	return rights_from(s->access, action, &peer->sa);
}

bool access_needs_tls(const struct conn *conn)
{
	if (conn->secure || conn->server->require_tls == CONFIG_TLS_OPTIONAL)
		return false;
	return conn->server->require_tls == CONFIG_TLS_ALL || !address_is_loopback(&conn->peer.sa);
}
