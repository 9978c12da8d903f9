/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A page that the agent shows to every client, which none can write: the descriptor comes with the
 * ring's (message `ring`), when the feature is in force. The number in it grows with every change
 * that could make a C_*Init fail which succeeded before: keys of a token destroyed or changed,
 * logins and PINs, the configuration, the date, the error state.
 */
#ifndef WIRE_EPOCH_H
#define WIRE_EPOCH_H

#include <stdatomic.h>
#include <stdint.h>

#define WIRE_EPOCH_LEN 4096u

/* How a client had better wait for a reply. */
enum wire_crowd {
	WIRE_CROWD_NONE, /* a processor for everybody: spin */
	WIRE_CROWD_SOME, /* let others have the processor */
};

struct wire_epoch {
	_Atomic uint64_t value;
	_Atomic uint32_t crowd; /* enum wire_crowd */
};

#endif
