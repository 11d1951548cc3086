#pragma once

#include <stddef.h>

struct evbuffer;

/* Bytes that many answers share: made once, freed when the last of them is sent. */
struct blob;

/** @text  malloc()ed; taken. The caller holds one reference. */
struct blob *blob_new(char *text, size_t len);
void blob_unref(struct blob *blob); /* NULL is nothing */
size_t blob_len(const struct blob *blob);
/** Put it behind what out holds, without copying. */
void blob_add(struct blob *blob, struct evbuffer *out);
