#pragma once

#include <stddef.h>
#include <sys/types.h>

/* The unix socket of the local API. */
struct local_socket {
	int fd;
	char path[108];
	dev_t dev; /* to know on removal whether the file is still ours */
	ino_t ino;
};

/**
 * Bind and listen, mode 0660. A file nobody answers on is replaced.
 * Returns 0, or -1 after writing why into error.
 */
int local_listen(struct local_socket *local, const char *path, char *error, size_t error_size);
/** Remove the file if it is still ours. The descriptor is the caller's. */
void local_remove(const struct local_socket *local);

/**
 * The name of the user at the other end of a connection: "root", or "uid 1234" for one that the
 * local files do not know ("unknown" if the kernel cannot tell). No name service that might stall
 * is asked.
 */
void local_peer(int fd, char *name, size_t size);
