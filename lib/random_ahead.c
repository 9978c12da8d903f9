/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One page for each connection, so that no thread waits for another. Only small requests are served
 * from it, and only from the tenth on that a session makes in a row: a program that wants one nonce
 * leaves none behind.
 */
#include "random_ahead.h"

#include <string.h>
#include <sys/mman.h>

#include "deferred.h"
#include "request.h"

#define PAGE_LEN     4096u
#define AHEAD_LEN    1024u
#define SHARE_MAX    64u /* longer requests are their own */
#define CALLS_BEFORE 9u

struct random_ahead {
	CK_SESSION_HANDLE session;
	struct deferred_moment moment; /* when they were asked for */
	uint32_t calls;                /* small ones of this session, at this moment */
	uint32_t left;                 /* octets at the end that nobody has had */
	uint8_t octets[AHEAD_LEN];
};
_Static_assert(sizeof(struct random_ahead) <= PAGE_LEN, "a page is enough");

static struct random_ahead *open_page(void)
{
	void *page =
		mmap(NULL, PAGE_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return NULL;
	if (madvise(page, PAGE_LEN, MADV_WIPEONFORK) || madvise(page, PAGE_LEN, MADV_DONTDUMP)) {
		munmap(page, PAGE_LEN);
		return NULL;
	}
	mlock(page, PAGE_LEN); /* if the caller may lock memory */
	return page;
}

void random_ahead_free(struct connection *connection)
{
	struct random_ahead *ahead = connection->random;

	if (!ahead)
		return;
	wire_wipe(ahead, sizeof(*ahead));
	munmap(ahead, PAGE_LEN);
	connection->random = NULL;
}

/* What lies there is of this session and of this moment, or nothing lies there. */
static void settle(struct random_ahead *ahead, CK_SESSION_HANDLE session,
                   const struct deferred_moment *now)
{
	if (ahead->session == session && ahead->moment.epoch == now->epoch &&
	    ahead->moment.changes == now->changes)
		return;
	wire_wipe(ahead->octets, sizeof(ahead->octets));
	ahead->session = session;
	ahead->moment = *now;
	ahead->calls = ahead->left = 0;
}

static CK_RV fetch(struct connection *connection, struct random_ahead *ahead)
{
	struct wire_generate_random_request request = {
		.session = ahead->session,
		.random_len = AHEAD_LEN,
	};
	struct wire_generate_random_reply reply;
	CK_RV rv = request_generate_random(connection, &request, &reply);

	if (!rv && reply.random.len != AHEAD_LEN)
		rv = channel_bad_reply(connection);
	if (rv)
		return rv;
	memcpy(ahead->octets, reply.random.data, AHEAD_LEN);
	ahead->left = AHEAD_LEN;
	return CKR_OK;
}

static void give(struct random_ahead *ahead, uint8_t *random, size_t random_len)
{
	uint8_t *next = ahead->octets + AHEAD_LEN - ahead->left;

	memcpy(random, next, random_len);
	wire_wipe(next, random_len);
	ahead->left -= (uint32_t)random_len;
}

bool random_ahead_take(struct connection *connection, CK_SESSION_HANDLE session, uint8_t *random,
                       size_t random_len, CK_RV *rv)
{
	struct random_ahead *ahead = connection->random;
	struct deferred_moment now;

	if (random_len > SHARE_MAX || !deferred_now(connection, &now))
		return false;
	if (!ahead)
		ahead = connection->random = open_page();
	if (!ahead)
		return false;
	settle(ahead, session, &now);
	if (ahead->calls < CALLS_BEFORE) {
		ahead->calls++;
		return false;
	}
	*rv = ahead->left < random_len ? fetch(connection, ahead) : CKR_OK;
	if (!*rv)
		give(ahead, random, random_len);
	return true;
}
