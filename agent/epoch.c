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
