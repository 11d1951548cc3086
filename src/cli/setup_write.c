#include "cli/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cli/cli.h"
#include "daemon/config.h"
#include "daemon/config_text.h"
#include "util/util.h"

static const char default_path[] = "/etc/ups2000/ups2000.conf";

const char *setup_output(const struct cli *cli)
{
	return cli->output ? cli->output : default_path;
}

static bool to_stdout(const struct cli *cli)
{
	return cli->dry_run || !strcmp(setup_output(cli), "-");
}

int setup_may_write(const struct cli *cli)
{
	const char *path = setup_output(cli);
	FILE *file;
	bool nothing;

	if (to_stdout(cli) || cli->force)
		return EXIT_OK;
	file = fopen(path, "re");
	if (!file && errno == ENOENT)
		return EXIT_OK;
	if (!file) {
		complain("%s cannot be read: %s", path, strerror(errno));
		advise("run it as root, or name another file with --output");
		return EXIT_REFUSED;
	}
	nothing = config_text_says_nothing(file);
	fclose(file);
	if (nothing)
		return EXIT_OK;
	complain("%s holds a configuration already", path);
	advise("--force replaces it and keeps it as %s.old; --dry-run only shows what would be "
	       "written",
	       path);
	return EXIT_REFUSED;
}

static void say_mistake(void *user, bool fatal, const char *text)
{
	(void)user;
	if (fatal)
		complain("%s", text);
}

/* Our own text, so a mistake is ours; but a person may have typed what it is made of. */
static bool is_good(const char *text, const char *path)
{
	char *copy = xstrdup(text);
	FILE *file = fmemopen(copy, strlen(copy), "r");
	struct config *config = NULL;

	if (file) {
		config = config_load_fp(file, path, say_mistake, NULL);
		fclose(file);
	}
	explicit_bzero(copy, strlen(copy));
	free(copy);
	config_free(config);
	return config != NULL;
}

static bool write_all(int fd, const char *text)
{
	size_t len = strlen(text);

	while (len) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		text += n;
		len -= (size_t)n;
	}
	return fsync(fd) == 0;
}

static void make_parent(const char *path)
{
	char *copy = xstrdup(path), *slash = strrchr(copy, '/');

	if (slash && slash != copy) {
		*slash = '\0';
		mkdir(copy, 0755); /* if it cannot be, opening the file tells why */
	}
	free(copy);
}

/* Readable for the daemon, and for nobody else: it holds password hashes. */
static bool write_file(const char *path, const char *text)
{
	const struct group *group = getuid() == 0 ? getgrnam("ups2000") : NULL;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	bool good;

	if (fd < 0)
		return false;
	good = fchmod(fd, 0640) == 0 && (!group || fchown(fd, 0, group->gr_gid) == 0) &&
	       write_all(fd, text);
	return close(fd) == 0 && good;
}

static int put_in_place(const char *path, const char *text)
{
	char *fresh = xasprintf("%s.new", path), *old = xasprintf("%s.old", path);
	int code = EXIT_OK;

	make_parent(path);
	if (!write_file(fresh, text)) {
		complain("%s cannot be written: %s", fresh, strerror(errno));
		advise("run it as root, or name another file with --output");
		unlink(fresh);
		code = errno == EACCES || errno == EPERM ? EXIT_REFUSED : EXIT_FAILED;
	} else {
		unlink(old);
		if ((link(path, old) && errno != ENOENT) || rename(fresh, path)) {
			complain("%s cannot be replaced: %s", path, strerror(errno));
			unlink(fresh);
			code = EXIT_FAILED;
		}
	}
	free(fresh);
	free(old);
	return code;
}

int setup_write(const struct cli *cli, const char *text)
{
	int code;

	if (!is_good(text, setup_output(cli)))
		return EXIT_FAILED;
	if (to_stdout(cli)) {
		fputs(text, stdout);
		return EXIT_OK;
	}
	code = setup_may_write(cli);
	if (code == EXIT_OK)
		code = put_in_place(setup_output(cli), text);
	return code;
}

void setup_advise_start(const struct cli *cli)
{
	if (strcmp(setup_output(cli), default_path) != 0)
		advise("start it: ups2000d --config %s", setup_output(cli));
	else if (access(cli->socket, F_OK) == 0)
		advise("ups2000d is running: systemctl restart ups2000d takes it over");
	else
		advise("start it: systemctl enable --now ups2000d");
	advise("then look: ups2000 status");
}
