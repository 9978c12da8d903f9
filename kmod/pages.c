// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages for secrets. They belong to no page cache and no LRU list, so nothing swaps them; they are marked
 * offline, so that /proc/kcore, crash dumps and hibernation pass them by; they are wiped before they go back.
 */
#include <linux/mm.h>
#include <linux/page-flags.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "chsm.h"

struct page *chsm_page_alloc(void)
{
	struct page *page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);

	if (page)
		__SetPageOffline(page);
	return page;
}

void chsm_page_free(struct page *page)
{
	memzero_explicit(page_address(page), PAGE_SIZE);
	__ClearPageOffline(page);
	__free_page(page);
}

struct page **chsm_pages_alloc(unsigned long count)
{
	/* The quota is the administrator's to set, beyond what there is, too: that is no reason to warn. */
	struct page **pages = kvcalloc(count, sizeof(*pages), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	unsigned long i;

	if (!pages)
		return NULL;
	for (i = 0; i < count; i++) {
		pages[i] = chsm_page_alloc();
		if (!pages[i]) {
			chsm_pages_free(pages, i);
			return NULL;
		}
	}
	return pages;
}

void chsm_pages_free(struct page **pages, unsigned long count)
{
	while (count) {
		chsm_page_free(pages[--count]);
		cond_resched();
	}
	kvfree(pages);
}
