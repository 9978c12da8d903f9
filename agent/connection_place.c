/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection is looked at every 16 frames. What a loop has to do is how many clients are at work
 * with it.
 *
 * In a crowd the two aims can contradict each other. With short calls a client is at work as long
 * as its loop is, and the kernel spreads clients over the processors; so the connections follow,
 * and the loops have as much to do as the processors. With long calls clients sleep nearly always,
 * and nobody spreads them; so the loops share the work, wherever the clients are.
 */
#include "connection_place.h"

#include "connection_ring.h"
#include "loop.h"

#define LOOK_EVERY 16u       /* frames of a connection */
#define LOOKS_MIN  2u        /* in a row that must agree: not for a single stray call */
#define STAY_NS    20000000u /* at the new place: not back and forth */
#define LONG_NS    100000u   /* a call that takes so long */

static unsigned int clients_of(struct loop *loop)
{
	return atomic_load_explicit(&loop->awake_count, memory_order_relaxed);
}

/* The loop on whose processor the client runs, when that is another one, and one that has not more
 * to do; else NULL. */
static struct loop *loop_of_client(const struct connection *connection)
{
	struct loop *loop = connection->loop;
	uint32_t processor =
		atomic_load_explicit(&connection->ring->area->processor, memory_order_relaxed);

	if ((uint32_t)loop->cpu == processor)
		return NULL;
	for (unsigned int i = 0; i < loop->agent->loop_count; i++) {
		struct loop *each = loop->agent->loops[i];

		if (each->cpu >= 0 && (uint32_t)each->cpu == processor)
			return clients_of(each) <= clients_of(loop) ? each : NULL;
	}
	return NULL;
}

/* The loop with the fewest clients, if it will not have more than this one then; else NULL. */
static struct loop *loop_with_less(struct loop *loop)
{
	struct loop *least = loop;

	for (unsigned int i = 0; i < loop->agent->loop_count; i++) {
		if (clients_of(loop->agent->loops[i]) < clients_of(least))
			least = loop->agent->loops[i];
	}
	return clients_of(least) + 1 < clients_of(loop) ? least : NULL;
}

static struct loop *better_loop(const struct connection *connection, uint64_t longest_ns,
                                enum placement *placement)
{
	struct loop *loop = connection->loop;
	bool crowded = epoch_crowd(&loop->agent->epoch) != WIRE_CROWD_NONE;

	*placement = crowded && longest_ns < LONG_NS ? PLACE_FOLLOW : PLACE_LOAD;
	return *placement == PLACE_FOLLOW ? loop_of_client(connection) : loop_with_less(loop);
}

unsigned int connection_place_clients(const struct agent *agent, unsigned int loop)
{
	return clients_of(agent->loops[loop]);
}

void connection_place(struct connection *connection)
{
	struct connection_place *place = &connection->ring->place;
	struct loop *loop = connection->loop, *better;
	enum placement placement;

	if (loop->last_took_ns > place->longest_ns)
		place->longest_ns = loop->last_took_ns;
	if (++place->frames % LOOK_EVERY || loop->agent->loop_count < 2)
		return;
	better = better_loop(connection, place->longest_ns, &placement);
	place->longest_ns = 0;
	if (!better || placement != place->placement)
		place->looks = 0;
	place->placement = placement;
	if (!better || ++place->looks < LOOKS_MIN || loop->last_reply_ns < place->stays_until_ns ||
	    !connection_move(connection, better))
		return;
	place->looks = 0;
	place->stays_until_ns = loop->last_reply_ns + STAY_NS;
	atomic_fetch_add_explicit(&loop->agent->placements[placement], 1, memory_order_relaxed);
}
