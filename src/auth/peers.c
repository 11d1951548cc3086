#include "auth/peers.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "daemon/networks.h"
#include "util/util.h"
#include <ups2000/ups.h>

enum { BUCKETS = 4096, LOOPBACK_FACTOR = 10 };
static const int64_t FORGIVE_US = 30 * U2K_SEC, FORGIVE_LOOPBACK_US = U2K_SEC;

struct peer {
	SLIST_ENTRY(peer) chain;
	TAILQ_ENTRY(peer) idle; /* while it has no connection */
	uint64_t key[2];
	bool loopback;
	bool said; /* that it is blocked */
	unsigned connections;
	unsigned failures;
	int64_t forgiven_us; /* failures are up to date as of then */
};

SLIST_HEAD(bucket, peer);

struct peers {
	unsigned connections_max, failures_max;
	uint64_t seed;
	size_t n, n_idle;
	TAILQ_HEAD(, peer) idle; /* longest without a connection first */
	struct bucket buckets[BUCKETS];
};

struct peers *peers_new(void)
{
	struct peers *peers = xcalloc(1, sizeof(*peers));

	random_bytes(&peers->seed, sizeof(peers->seed));
	TAILQ_INIT(&peers->idle);
	return peers;
}

/* Strangers choose the keys, but not the seed. */
static struct bucket *bucket_of(struct peers *peers, const uint64_t key[2])
{
	uint64_t h = peers->seed;

	for (int i = 0; i < 2; i++) {
		h = (h ^ key[i]) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	return &peers->buckets[h * (peers->seed | 1) >> 52];
}

static void drop(struct peers *peers, struct peer *peer)
{
	SLIST_REMOVE(bucket_of(peers, peer->key), peer, peer, chain);
	TAILQ_REMOVE(&peers->idle, peer, idle);
	peers->n--;
	peers->n_idle--;
	free(peer);
}

void peers_free(struct peers *peers)
{
	struct peer *peer;

	if (!peers)
		return;
	while ((peer = TAILQ_FIRST(&peers->idle)))
		drop(peers, peer);
	free(peers);
}

void peers_configure(struct peers *peers, unsigned connections, unsigned failures)
{
	peers->connections_max = connections;
	peers->failures_max = failures;
}

static void key_of(const struct sockaddr *address, uint64_t key[2], bool *loopback)
{
	static const uint8_t v4[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
	uint8_t bytes[16] = { 0 };

	*loopback = address_is_loopback(address);
	if (!*loopback)
		address_bytes(address, bytes);
	if (memcmp(bytes, v4, sizeof(v4)) != 0)
		memset(bytes + 8, 0, 8);
	memcpy(key, bytes, 16);
}

static void forgive(struct peer *peer)
{
	int64_t each_us = peer->loopback ? FORGIVE_LOOPBACK_US : FORGIVE_US;
	int64_t now = clock_us(), n = (now - peer->forgiven_us) / each_us;

	if (n >= peer->failures) {
		peer->failures = 0;
		peer->forgiven_us = now;
	} else if (n > 0) {
		peer->failures -= (unsigned)n;
		peer->forgiven_us += n * each_us;
	}
}

/* The longest gone first, and those who have nothing against them any more. */
static void clean(struct peers *peers)
{
	struct peer *peer;

	while ((peer = TAILQ_FIRST(&peers->idle))) {
		forgive(peer);
		if (peer->failures && peers->n_idle <= PEERS_IDLE_MAX)
			return;
		drop(peers, peer);
	}
}

struct peer *peers_enter(struct peers *peers, const struct sockaddr *address)
{
	uint64_t key[2];
	bool loopback;
	struct bucket *bucket;
	struct peer *peer;

	key_of(address, key, &loopback);
	bucket = bucket_of(peers, key);
	SLIST_FOREACH(peer, bucket, chain)
	if (peer->key[0] == key[0] && peer->key[1] == key[1])
		break;
	if (!peer) {
		clean(peers);
		peer = xcalloc(1, sizeof(*peer));
		memcpy(peer->key, key, sizeof(key));
		peer->loopback = loopback;
		peer->forgiven_us = clock_us();
		SLIST_INSERT_HEAD(bucket, peer, chain);
		TAILQ_INSERT_TAIL(&peers->idle, peer, idle);
		peers->n++;
		peers->n_idle++;
	}
	if (peers->connections_max && !loopback && peer->connections >= peers->connections_max)
		return NULL;
	if (peer->connections++ == 0) {
		TAILQ_REMOVE(&peers->idle, peer, idle);
		peers->n_idle--;
	}
	return peer;
}

void peers_leave(struct peers *peers, struct peer *peer)
{
	if (--peer->connections)
		return;
	TAILQ_INSERT_TAIL(&peers->idle, peer, idle);
	peers->n_idle++;
	forgive(peer);
	if (!peer->failures)
		drop(peers, peer);
	clean(peers);
}

bool peers_blocked(struct peers *peers, struct peer *peer, bool *begins)
{
	unsigned max = peers->failures_max * (peer->loopback ? LOOPBACK_FACTOR : 1);
	bool blocked;

	forgive(peer);
	blocked = max && peer->failures >= max;
	*begins = blocked && !peer->said;
	if (blocked || !peer->failures)
		peer->said = blocked;
	return blocked;
}

void peers_failed(struct peer *peer)
{
	forgive(peer);
	if (peer->failures < UINT_MAX)
		peer->failures++;
}

void peers_take_back(struct peer *peer)
{
	if (peer->failures)
		peer->failures--;
}

size_t peers_count(const struct peers *peers)
{
	return peers->n;
}
