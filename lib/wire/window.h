/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The window: shared memory for the octets of frames that are too long for a ring. The frame goes
 * through the ring (wire/ring.h) with WIRE_FRAME_WINDOW set; its last field is of kind bytes, and
 * the octets of that field are not in the ring but in a slot, of which only the length stands at
 * the end of the body (body_len counts what is in the ring).
 *
 * The requests of a connection that use the window take its slots in turn, beginning with the
 * first; the reply to a request uses the same slot. So nothing about places is said in shared
 * memory, and there is nothing to lie about: a slot is the client's until its frame is in the ring,
 * then the agent's until the reply is. A client that does not keep to it spoils its own data.
 *
 * The agent copies the octets out before it looks at them, as it does with those of the ring.
 */
#ifndef WIRE_WINDOW_H
#define WIRE_WINDOW_H

#include <stdatomic.h>
#include <stdint.h>

#define WIRE_WINDOW_SLOTS    8u
#define WIRE_WINDOW_PART_LEN 16384u /* of a request; a multiple of every cipher's block */
/* The reply may have besides what a cipher held back before, its padding and its tag. */
#define WIRE_WINDOW_SLOT_LEN (WIRE_WINDOW_PART_LEN + 64u)

struct wire_window {
	/* 0 when the agent has given it up. Who has copied a reply's octets out looks at it then:
	 * when it is 0 they may not have been the reply's. */
	_Alignas(64) _Atomic uint32_t alive;
	_Alignas(64) uint8_t slots[WIRE_WINDOW_SLOTS][WIRE_WINDOW_SLOT_LEN];
};

#endif
