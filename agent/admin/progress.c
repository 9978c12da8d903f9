/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A progress bar on standard error, drawn when it has moved by a hundredth; scripts and logs see
 * nothing of it.
 */
#include "admin.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BAR_WIDTH 40u

/* One program, one terminal, one bar. */
static struct {
	bool drawn;
	uint64_t percent;
} bar;

static void draw(const char *what, uint64_t percent)
{
	char full[BAR_WIDTH + 1];
	size_t len = (size_t)(percent * BAR_WIDTH / 100);

	memset(full, '#', len);
	memset(full + len, '.', BAR_WIDTH - len);
	full[BAR_WIDTH] = '\0';
	fprintf(stderr, "\r%s [%s] %3llu%%", what, full, (unsigned long long)percent);
	fflush(stderr);
}

void admin_progress(const char *what, uint64_t done, uint64_t total)
{
	uint64_t percent = total ? done * 100 / total : 0;

	if (!isatty(STDERR_FILENO) || (bar.drawn && bar.percent == percent))
		return;
	draw(what, percent < 100 ? percent : 100);
	bar.drawn = true;
	bar.percent = percent;
}

void admin_progress_end(void)
{
	if (bar.drawn)
		fputs("\r\033[K", stderr);
	bar.drawn = false;
}
