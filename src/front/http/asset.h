#pragma once

#include <stdbool.h>
#include <stddef.h>

/* A file of src/front/http/page, compiled in (tools/embed.cmake). */
struct asset {
	const char *path; /* "/index.html", "/assets/0123456789ab/app.js" */
	const char *type; /* content type */
	const char *etag; /* with its quotes */
	bool immutable;	  /* its path changes with its content */
	const unsigned char *plain;
	size_t plain_len;
	const unsigned char *packed; /* gzip, or NULL */
	size_t packed_len;
};

extern const struct asset assets[];
extern const size_t n_assets;

/** "/" is "/index.html". NULL if there is none; query is allowed behind the path. */
const struct asset *asset_find(const char *target);
