#include "driver/paths.h"

#include <stdlib.h>

#include "util/util.h"

static const char *from_environment(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

char *paths_conf(void)
{
	const char *dir = from_environment("NUT_CONFPATH");

	return xasprintf("%s/ups.conf", dir ? dir : NUT_CONFPATH_DEFAULT);
}

char *paths_state(const char *from_file)
{
	const char *dir = from_environment("NUT_STATEPATH");

	if (!dir)
		dir = from_file ? from_file : NUT_STATEPATH_DEFAULT;
	return xstrdup(dir);
}

char *paths_pid(const char *from_file, const char *driver, const char *section)
{
	const char *alt = from_environment("NUT_ALTPIDPATH");
	char *dir = alt ? xstrdup(alt) : paths_state(from_file);
	char *path = xasprintf("%s/%s-%s.pid", dir, driver, section);

	free(dir);
	return path;
}
