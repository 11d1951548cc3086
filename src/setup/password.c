#include "setup/password.h"

#include <crypt.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "util/util.h"

char *password_hash(const char *password)
{
	struct crypt_data *data = xcalloc(1, sizeof(*data));
	char *setting = crypt_gensalt_ra("$y$", 0, NULL, 0);
	const char *hash = setting ? crypt_r(password, setting, data) : NULL;
	/* a failure is told by a text that begins with '*' */
	char *out = hash && *hash != '*' ? xstrdup(hash) : NULL;

	free(setting);
	explicit_bzero(data, sizeof(*data));
	free(data);
	return out;
}

void password_make(char out[PASSWORD_MADE_MAX])
{
	/* 54 of them: no 0 O o 1 l I 2 Z, which people mistake for one another */
	static const char letters[] = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXY3456789";
	const unsigned n = sizeof(letters) - 1, fair = 256 / n * n;
	size_t made = 0;

	while (made < PASSWORD_MADE_MAX - 1) {
		uint8_t byte;

		random_bytes(&byte, 1);
		if (byte < fair)
			out[made++] = letters[byte % n];
	}
	out[made] = '\0';
}
