#include "front/http/later.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "front/http/api.h"
#include "util/util.h"

/* Freed when it was answered and the carrier has it, or does not want it. */
struct api_later {
	api_later_cb cb; /* NULL: nobody waits */
	void *user;
	bool answered, abandoned;
	struct api_reply reply; /* if answered */
};

struct api_later *api_later_new(void)
{
	return xcalloc(1, sizeof(struct api_later));
}

static void deliver(struct api_later *later)
{
	if (later->cb)
		later->cb(later->user, &later->reply);
	api_reply_clear(&later->reply);
	free(later);
}

void api_later_answer(struct api_later *later, struct api_reply *reply)
{
	assert(!later->answered && !reply->later && !reply->streaming);
	later->answered = true;
	later->reply = *reply;
	memset(reply, 0, sizeof(*reply));
	if (later->cb || later->abandoned)
		deliver(later);
}

void api_later_wait(struct api_later *later, api_later_cb cb, void *user)
{
	later->cb = cb;
	later->user = user;
	if (later->answered)
		deliver(later);
}

void api_later_abandon(struct api_later *later)
{
	later->cb = NULL;
	later->abandoned = true;
	if (later->answered)
		deliver(later);
}
