/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One sealed page: the agent's own mapping stays writable, nobody gets another such.
 */
#include "epoch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "log.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

#define SETTLE_NS 10000000u

void epoch_open(struct epoch *epoch)
{
	void *page = MAP_FAILED;

	epoch->page = NULL;
	epoch->fd = memfd_create("craton-hsm epoch", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (epoch->fd >= 0 && !ftruncate(epoch->fd, WIRE_EPOCH_LEN))
		page = mmap(NULL, WIRE_EPOCH_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, epoch->fd, 0);
	if (page != MAP_FAILED &&
	    !fcntl(epoch->fd, F_ADD_SEALS,
	           F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL)) {
		epoch->page = page;
		epoch_raise(epoch);
		return;
	}
	log_warning("no page of shared memory for the epoch (%s); clients ask for each operation "
	            "twice",
	            strerror(errno));
	if (page != MAP_FAILED)
		munmap(page, WIRE_EPOCH_LEN);
	if (epoch->fd >= 0)
		close(epoch->fd);
	epoch->fd = -1;
}

void epoch_close(struct epoch *epoch)
{
	if (!epoch->page)
		return;
	munmap(epoch->page, WIRE_EPOCH_LEN);
	close(epoch->fd);
	epoch->page = NULL;
}

void epoch_raise(struct epoch *epoch)
{
	if (epoch->page)
		atomic_fetch_add_explicit(&epoch->page->value, 1, memory_order_release);
}

void epoch_size(struct epoch *epoch, unsigned int processors, unsigned int loops)
{
	epoch->processors = processors;
	epoch->loops = loops;
}

/* A client at work and its loop want a processor each; a loop serves several clients. */
static enum wire_crowd crowd_of(const struct epoch *epoch, unsigned int clients)
{
	unsigned int loops = clients < epoch->loops ? clients : epoch->loops;

	return clients + loops <= epoch->processors ? WIRE_CROWD_NONE : WIRE_CROWD_SOME;
}

static void tell(struct epoch *epoch, enum wire_crowd crowd)
{
	atomic_store_explicit(&epoch->crowd, crowd, memory_order_relaxed);
	if (epoch->page)
		atomic_store_explicit(&epoch->page->crowd, crowd, memory_order_relaxed);
}

void epoch_count(struct epoch *epoch, int change)
{
	unsigned int clients =
		atomic_fetch_add(&epoch->awake, (unsigned int)change) + (unsigned int)change;
	enum wire_crowd crowd = crowd_of(epoch, clients);

	if (crowd > epoch_crowd(epoch))
		tell(epoch, crowd);
}

void epoch_settle(struct epoch *epoch, uint64_t now_ns)
{
	enum wire_crowd told = epoch_crowd(epoch), crowd;
	uint64_t crowded_ns;

	if (told == WIRE_CROWD_NONE)
		return;
	crowd = crowd_of(epoch, atomic_load_explicit(&epoch->awake, memory_order_relaxed));
	crowded_ns = atomic_load_explicit(&epoch->crowded_ns, memory_order_relaxed);
	if (crowd != WIRE_CROWD_NONE) {
		if (now_ns > crowded_ns + SETTLE_NS / 8)
			atomic_store_explicit(&epoch->crowded_ns, now_ns, memory_order_relaxed);
	} else if (now_ns > crowded_ns + SETTLE_NS) {
		tell(epoch, crowd);
		/* One that came meanwhile found nothing to tell. */
		epoch_count(epoch, 0);
	}
}

enum wire_crowd epoch_crowd(const struct epoch *epoch)
{
	return (enum wire_crowd)atomic_load_explicit(&epoch->crowd, memory_order_relaxed);
}
