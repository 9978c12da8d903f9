/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of a loop's HTTP/2 sessions. nghttp2 does not wipe what it lets go of, and asks for
 * some ten small blocks for each call: here they are wiped, and kept for the next call. Used by one
 * thread.
 */
#ifndef GRPC_MEMORY_H
#define GRPC_MEMORY_H

#include <nghttp2/nghttp2.h>
#include <stddef.h>

#define MEMORY_SIZES 5u /* of blocks that are kept: 64 octets, and doubled from one to the next */

struct memory_block;

/* All zeros is one that has nothing. */
struct memory {
	struct {
		struct memory_block *first; /* list */
		unsigned int count;
	} spare[MEMORY_SIZES];
};

/* For nghttp2_session_server_new3, which copies it. Refers to the memory. */
nghttp2_mem memory_for_http(struct memory *memory);
/* Frees what is kept. Nothing of it is in use. */
void memory_close(struct memory *memory);

#endif
