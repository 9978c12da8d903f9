/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's part of tests/vm/reboot_test.sh, which reads this machine's memory from outside,
 * while secrets are in it and after it went down. The patterns' masks are as that script has them.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <termios.h>

#include "vm/device.h"
#include "vm/pattern.h"

#define PAGE 4096ul
#define LEN  (16 * PAGE)
#define GO   "/dev/ttyS2"

enum { ORDINARY, ARENA, GENERIC, KEK, VOLUME, PERSISTENT, PATTERNS };

static struct pattern patterns[PATTERNS];

static void patterns_set(void)
{
	for (uint64_t i = 0; i < PATTERNS; i++) {
		for (uint64_t word = 0; word < PATTERN_WORDS; word++)
			patterns[i].masked[word] = (i + 1) * 0x0101010101010101 + word;
	}
}

static void slot_of_pattern(int device, int which, uint32_t flags, uint32_t purpose)
{
	uint64_t key[PATTERN_WORDS];

	pattern_put(&patterns[which], key);
	slot_make(device, flags, purpose, key, sizeof(key));
	pattern_wipe(key);
}

static void secrets_make(void)
{
	int device = device_open();
	uint8_t *ordinary =
		mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *arena = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, device, 0);

	ASSERT_NE((void *)ordinary, MAP_FAILED);
	ASSERT_NE((void *)arena, MAP_FAILED);
	for (size_t at = 0; at < LEN; at += PAGE) {
		pattern_put(&patterns[ORDINARY], ordinary + at);
		pattern_put(&patterns[ARENA], arena + at);
	}
	slot_of_pattern(device, GENERIC, 0, CRATON_HSM_GENERIC);
	slot_of_pattern(device, KEK, CRATON_HSM_SEALED, CRATON_HSM_KEY_ENCRYPTION);
	slot_of_pattern(device, VOLUME, CRATON_HSM_SEALED, CRATON_HSM_VOLUME);
	slot_of_pattern(device, PERSISTENT, CRATON_HSM_PERSISTENT, CRATON_HSM_GENERIC);
}

/* Until whoever is outside has seen enough. */
static void wait_for_go(void)
{
	int line = open(GO, O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios settings;
	char octet;

	ASSERT_GE(line, 0);
	ASSERT_EQ(tcgetattr(line, &settings), 0);
	cfmakeraw(&settings);
	ASSERT_EQ(tcsetattr(line, TCSANOW, &settings), 0);
	printf("# the secrets are there\n");
	fflush(stdout);
	ASSERT_EQ(read(line, &octet, 1), 1);
}

TEST_TIMEOUT(goes_down_with_secrets, 90)
{
	patterns_set();
	secrets_make();
	wait_for_go();
	reboot(RB_AUTOBOOT);
}

HARNESS_MAIN
