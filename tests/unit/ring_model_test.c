/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A model of sleeping and waking over the shared rings, searched whole: every interleaving of a
 * producer that publishes some frames and a consumer that takes them, at the grain of single memory
 * operations, which are sequentially consistent in wire/ring.c. Wanted: from every state the last
 * frame gets taken, so no state in which nobody can move leaves a frame behind. Faulty variants
 * show that the search finds what it looks for.
 */
#include "harness.h"
#include "wire/ring.h"

#define FRAMES_MAX 4u
#define STATES_MAX (1u << 20)

enum producer { PUBLISH, LOOK, EXCHANGE, RING, ROUSE, PRODUCED };
enum consumer {
	POLL,
	SAY_NAPPING,
	LOOK_BEFORE_NAP,
	ENTER_NAP, /* the kernel compares `rest` and lets it wait, in one step */
	NAPPING,
	ROUSED,
	SAY_SLEEPING,
	LOOK_AGAIN,
	TAKE_BACK,
	BLOCKED,
	WAKE
};

enum variant {
	RIGHT,
	NAPS_FOREVER,        /* a nap that no time ends: it is not time that saves a frame */
	BLIND_NAP,           /* such a nap, and begun without the comparison */
	LOOKS_BEFORE_SAYING, /* the consumer's second look comes before it says that it sleeps */
	NO_SECOND_LOOK,      /* and never again */
	RINGS_BEFORE_PUBLISHING, /* the producer looks for sleepers first */
};

struct state {
	uint8_t producer, consumer, published, consumed, rest, bells, roused;
};

static uint32_t code_of(struct state s)
{
	return s.producer | (uint32_t)s.consumer << 3 | (uint32_t)s.published << 7 |
	       (uint32_t)s.consumed << 10 | (uint32_t)s.rest << 13 | (uint32_t)s.bells << 15 |
	       (uint32_t)s.roused << 18;
}

static uint8_t next_frame(struct state s, unsigned int frames)
{
	return s.published < frames ? PUBLISH : PRODUCED;
}

/* Two steps swapped: a look at the flag, and only then the frame. */
static bool produce_wrongly(struct state *s, unsigned int frames)
{
	switch (s->producer) {
	case PUBLISH:
		s->producer = s->rest ? EXCHANGE : RING;
		return true;
	case EXCHANGE:
		s->bells += s->rest == WIRE_RING_SLEEPS;
		s->rest = WIRE_RING_AWAKE;
		s->producer = RING;
		return true;
	case RING:
		s->published++;
		s->producer = next_frame(*s, frames);
		return true;
	default:
		return false;
	}
}

static bool produce(struct state *s, unsigned int frames)
{
	switch (s->producer) {
	case PUBLISH:
		s->published++;
		s->producer = LOOK;
		return true;
	case LOOK:
		s->producer = s->rest ? EXCHANGE : next_frame(*s, frames);
		return true;
	case EXCHANGE:
		s->producer = s->rest == WIRE_RING_NAPS     ? ROUSE
		              : s->rest == WIRE_RING_SLEEPS ? RING
		                                            : next_frame(*s, frames);
		s->rest = WIRE_RING_AWAKE;
		return true;
	case RING:
		s->bells++;
		s->producer = next_frame(*s, frames);
		return true;
	case ROUSE:
		s->roused = s->consumer == NAPPING;
		s->producer = next_frame(*s, frames);
		return true;
	default:
		return false;
	}
}

static bool naps(enum variant variant)
{
	return variant == RIGHT || variant == NAPS_FOREVER || variant == BLIND_NAP;
}

/* The consumer's steps around a nap. */
static bool nap(struct state *s, enum variant variant)
{
	bool ready = s->published != s->consumed;

	switch (s->consumer) {
	case SAY_NAPPING:
		s->rest = WIRE_RING_NAPS;
		s->consumer = LOOK_BEFORE_NAP;
		return true;
	case LOOK_BEFORE_NAP:
		s->consumer = ready ? TAKE_BACK : ENTER_NAP;
		return true;
	case ENTER_NAP:
		s->consumer = s->rest == WIRE_RING_NAPS || variant == BLIND_NAP ? NAPPING : ROUSED;
		return true;
	case NAPPING:
		if (!s->roused && variant != RIGHT)
			return false;
		s->roused = 0;
		s->consumer = ROUSED;
		return true;
	default: /* ROUSED */
		s->rest = WIRE_RING_AWAKE;
		s->consumer = ready ? POLL : SAY_SLEEPING;
		return true;
	}
}

static bool consume(struct state *s, enum variant variant)
{
	bool ready = s->published != s->consumed;

	switch (s->consumer) {
	case POLL:
		if (ready)
			s->consumed++;
		else if (naps(variant))
			s->consumer = SAY_NAPPING;
		else
			s->consumer = variant == LOOKS_BEFORE_SAYING ? LOOK_AGAIN : SAY_SLEEPING;
		return true;
	case SAY_SLEEPING:
		s->rest = WIRE_RING_SLEEPS;
		s->consumer =
			naps(variant) || variant == RINGS_BEFORE_PUBLISHING ? LOOK_AGAIN : BLOCKED;
		return true;
	case LOOK_AGAIN:
		if (variant == LOOKS_BEFORE_SAYING)
			s->consumer = ready ? POLL : SAY_SLEEPING;
		else
			s->consumer = ready ? TAKE_BACK : BLOCKED;
		return true;
	case BLOCKED:
		if (!s->bells)
			return false;
		s->bells--;
		s->consumer = WAKE;
		return true;
	case TAKE_BACK:
	case WAKE:
		s->rest = WIRE_RING_AWAKE;
		s->consumer = POLL;
		return true;
	default:
		return nap(s, variant);
	}
}

struct search {
	unsigned int states, lost, most_bells;
};

static struct state queue[STATES_MAX];
static bool seen[STATES_MAX];

static void visit(struct state s, unsigned int *tail)
{
	uint32_t code = code_of(s);

	ASSERT_LT(code, STATES_MAX);
	if (seen[code])
		return;
	seen[code] = true;
	queue[(*tail)++] = s;
}

static struct search search(unsigned int frames, enum variant variant)
{
	struct search found = {0};
	unsigned int tail = 0;

	memset(seen, 0, sizeof(seen));
	visit((struct state){0}, &tail);
	for (unsigned int head = 0; head < tail; head++) {
		struct state by_producer = queue[head], by_consumer = queue[head];
		bool moved = variant == RINGS_BEFORE_PUBLISHING
		                     ? produce_wrongly(&by_producer, frames)
		                     : produce(&by_producer, frames);

		if (moved)
			visit(by_producer, &tail);
		if (consume(&by_consumer, variant)) {
			visit(by_consumer, &tail);
			moved = true;
		}
		found.lost += !moved && queue[head].published != queue[head].consumed;
		if (queue[head].bells > found.most_bells)
			found.most_bells = queue[head].bells;
	}
	found.states = tail;
	return found;
}

static void expect_none_lost(enum variant variant)
{
	for (unsigned int frames = 1; frames <= FRAMES_MAX; frames++) {
		struct search found = search(frames, variant);

		EXPECT_EQ(found.lost, 0);
		EXPECT_GT(found.states, 10 * frames);
		/* One for the sleep it ends, and one that came too late. */
		EXPECT_LE(found.most_bells, frames);
	}
}

TEST(no_frame_is_left_behind)
{
	expect_none_lost(RIGHT);
	expect_none_lost(NAPS_FOREVER);
}

TEST(the_search_finds_lost_wake_ups)
{
	EXPECT_GT(search(2, BLIND_NAP).lost, 0);
	EXPECT_GT(search(2, LOOKS_BEFORE_SAYING).lost, 0);
	EXPECT_GT(search(2, NO_SECOND_LOOK).lost, 0);
	EXPECT_GT(search(2, RINGS_BEFORE_PUBLISHING).lost, 0);
}

HARNESS_MAIN
