/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errands to the agent that OpenSSL runs by itself, through libcraton_hsm.so: a handshake whose
 * private key is in a token, the loading of such a key, its release. Each takes as long as the
 * agent does, for ever if that hangs. So a thread of their own does them, one after another, and no
 * loop waits.
 */
#ifndef GRPC_ERRAND_H
#define GRPC_ERRAND_H

#include <stdbool.h>
#include <stdint.h>

struct errand;
struct errands;
struct loop;

/* Lasts until it is done. */
struct errand {
	void (*run)(struct errand *errand); /* by the thread; with no loop it may free the errand */
	struct loop *loop;                  /* that hears of it; NULL: none does */
	void (*done)(struct errand *errand); /* by that loop */
	struct errand *next;
};

/* Starts a thread. NULL with errno. */
struct errands *errands_open(void);
/* Any thread: it is done after those that came before. */
void errands_add(struct errands *errands, struct errand *errand);
/* Waits until it has nothing more to do. False when that was not so by this time of
 * clock_monotonic_ns. NULL is allowed. */
bool errands_wait(struct errands *errands, uint64_t until_ns);
/* Ends the thread when it has nothing more to do. NULL is allowed. */
void errands_close(struct errands *errands);

#endif
