#include "front/http/blob.h"

#include <stdlib.h>
#include <event2/buffer.h>
#include "util/util.h"

struct blob {
	unsigned refs;
	char *text;
	size_t len;
};

struct blob *blob_new(char *text, size_t len)
{
	struct blob *blob = xcalloc(1, sizeof(*blob));

	blob->refs = 1;
	blob->text = text;
	blob->len = len;
	return blob;
}

void blob_unref(struct blob *blob)
{
	if (!blob || --blob->refs)
		return;
	free(blob->text);
	free(blob);
}

size_t blob_len(const struct blob *blob)
{
	return blob->len;
}

static void sent_cb(const void *data, size_t len, void *blob)
{
	(void)data;
	(void)len;
	blob_unref(blob);
}

void blob_add(struct blob *blob, struct evbuffer *out)
{
	blob->refs++;
	if (evbuffer_add_reference(out, blob->text, blob->len, sent_cb, blob) < 0)
		abort(); /* out of memory: as xmalloc() */
}
