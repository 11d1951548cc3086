#pragma once

#include <stdbool.h>
#include <stddef.h>

/**
 * May a client call us this? A page of a stranger whose name resolves to our address (DNS
 * rebinding) sends the stranger's name; localhost and addresses cannot be taken over like that.
 *
 * @host   value of the Host header: "localhost:8493", "[::1]:8493", "192.0.2.7"
 * @names  what else is ours, without port; case does not count
 */
bool host_is_ours(const char *host, char *const *names, size_t n_names);
