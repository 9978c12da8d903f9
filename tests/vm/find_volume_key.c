/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks for the key of an AES-256-XTS volume (aes-xts-plain64) in memory. Nobody knows the key, so
 * each window of 64 octets is tried: does it decipher the volume's first sector to what the mapping
 * shows? This is what somebody with the memory and the device would do, and by OpenSSL, so that it
 * also proves what is on the device.
 *
 *   find_volume_key PLAIN CIPHER pid PID     every readable octet of a process
 *   find_volume_key PLAIN CIPHER kcore       the kernel's map of all memory, at multiples of 8
 *   find_volume_key PLAIN CIPHER file FILE   a file
 *
 * PLAIN and CIPHER hold the first sectors of mapping and device. 0: found, 1: not found, 2: it
 * could not look.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEY_LEN    64u
#define SECTOR_LEN 512u
#define SECTORS    4u /* compared when the first one fits */
#define PIECE_LEN  (1024u * 1024u)
#define BLOCK_LEN  16u

/* Of 64 random octets 57 are different ones on average; fewer than 44 in one of a million keys. */
#define DISTINCT_MIN 44u

struct search {
	uint8_t plain[SECTORS * SECTOR_LEN], cipher[SECTORS * SECTOR_LEN];
	EVP_CIPHER_CTX *context;
	size_t step;
	uint64_t looked_at, tried, unreadable;
	uint8_t *piece; /* PIECE_LEN, and in front of it the end of the piece before */
};

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(2);
}

/* ---- one window ---- */

/* The first `want` octets of a sector. */
static bool sector_fits(struct search *search, const uint8_t *key, uint64_t sector, int want)
{
	uint8_t tweak[16] = {0}, out[SECTOR_LEN];
	int len;

	for (int i = 0; i < 8; i++)
		tweak[i] = (uint8_t)(sector >> (8 * i));
	return EVP_DecryptInit_ex2(search->context, NULL, key, tweak, NULL) == 1 &&
	       EVP_DecryptUpdate(search->context, out, &len, search->cipher + sector * SECTOR_LEN,
	                         want) == 1 &&
	       !memcmp(out, search->plain + sector * SECTOR_LEN, (size_t)want);
}

static bool key_fits(struct search *search, const uint8_t *key)
{
	search->tried++;
	if (!sector_fits(search, key, 0, BLOCK_LEN))
		return false;
	for (uint64_t sector = 0; sector < SECTORS; sector++) {
		if (!sector_fits(search, key, sector, SECTOR_LEN))
			return false;
	}
	return true;
}

static unsigned int distinct(const uint8_t *octets)
{
	uint64_t seen[4] = {0};

	for (size_t i = 0; i < KEY_LEN; i++)
		seen[octets[i] >> 6] |= 1ull << (octets[i] & 63);
	return (unsigned int)(__builtin_popcountll(seen[0]) + __builtin_popcountll(seen[1]) +
	                      __builtin_popcountll(seen[2]) + __builtin_popcountll(seen[3]));
}

/* Quickly refuses most of what is no key: a random one has a zero half word once in 2^28. */
static bool looks_random(const uint8_t *octets)
{
	uint32_t words[KEY_LEN / 4];

	memcpy(words, octets, KEY_LEN);
	for (size_t i = 0; i < KEY_LEN / 4; i++) {
		if (!words[i])
			return false;
	}
	return distinct(octets) >= DISTINCT_MIN;
}

/* ---- pieces ---- */

static void __attribute__((noreturn)) finish(const struct search *search, bool found)
{
	printf("%" PRIu64 " KiB looked at, %" PRIu64 " KiB not readable, %" PRIu64
	       " windows tried, %s\n",
	       search->looked_at / 1024, search->unreadable / 1024, search->tried,
	       found ? "found" : "not found");
	exit(found ? 0 : 1);
}

static void look(struct search *search, const uint8_t *octets, size_t len, uint64_t address)
{
	search->looked_at += len;
	for (size_t at = 0; at + KEY_LEN <= len; at += search->step) {
		if (!looks_random(octets + at) || !key_fits(search, octets + at))
			continue;
		printf("found at 0x%" PRIx64 "\n", address + at);
		finish(search, true);
	}
}

static bool is_zero(const uint8_t *octets, size_t len)
{
	return !octets[0] && !memcmp(octets, octets + 1, len - 1);
}

/* A run of memory, in pieces that overlap by a window. What cannot be read is left out, by pages.
 */
static void look_at_range(struct search *search, int fd, uint64_t start, uint64_t end,
                          uint64_t offset)
{
	size_t kept = 0;

	while (start < end) {
		size_t want = end - start < PIECE_LEN ? end - start : PIECE_LEN;
		ssize_t got = pread(fd, search->piece + KEY_LEN, want, (off_t)(start + offset));

		if (got <= 0) {
			size_t page = want < 4096 ? want : 4096;

			search->unreadable += page;
			start += page;
			kept = 0;
			continue;
		}
		if (!is_zero(search->piece + KEY_LEN, (size_t)got))
			look(search, search->piece + KEY_LEN - kept, (size_t)got + kept,
			     start - kept);
		kept = (size_t)got < KEY_LEN ? 0 : KEY_LEN;
		memcpy(search->piece + KEY_LEN - kept, search->piece + KEY_LEN + got - kept, kept);
		start += (uint64_t)got;
	}
}

/* ---- places ---- */

static void look_at_process(struct search *search, const char *pid)
{
	char path[64], line[512];
	uint64_t start, end;
	char readable;
	FILE *maps;
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/mem", pid);
	fd = open(path, O_RDONLY);
	snprintf(path, sizeof(path), "/proc/%s/maps", pid);
	maps = fopen(path, "r");
	if (fd < 0 || !maps)
		die(path);
	search->step = 1;
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %c", &start, &end, &readable) != 3 ||
		    readable != 'r' || strstr(line, "[vvar]") || strstr(line, "[vsyscall]"))
			continue;
		look_at_range(search, fd, start, end, 0);
	}
	fclose(maps);
	close(fd);
}

/* Program headers with a physical address are memory; the others are the holes of vmalloc. */
static void look_at_kernel(struct search *search)
{
	int fd = open("/proc/kcore", O_RDONLY);
	Elf64_Ehdr head;
	Elf64_Phdr part;

	if (fd < 0 || pread(fd, &head, sizeof(head), 0) != sizeof(head))
		die("/proc/kcore");
	search->step = 8;
	for (unsigned int i = 0; i < head.e_phnum; i++) {
		off_t at = (off_t)(head.e_phoff + i * sizeof(part));

		if (pread(fd, &part, sizeof(part), at) != sizeof(part))
			die("/proc/kcore");
		if (part.p_type == PT_LOAD && part.p_paddr != UINT64_MAX)
			look_at_range(search, fd, part.p_vaddr, part.p_vaddr + part.p_memsz,
			              part.p_offset - part.p_vaddr);
	}
	close(fd);
}

static void look_at_file(struct search *search, const char *path)
{
	int fd = open(path, O_RDONLY);
	off_t len = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);

	if (len < 0)
		die(path);
	search->step = 1;
	look_at_range(search, fd, 0, (uint64_t)len, 0);
	close(fd);
}

/* ---- */

static void read_sectors(const char *path, uint8_t *sectors)
{
	int fd = open(path, O_RDONLY);

	if (fd < 0 || read(fd, sectors, SECTORS * SECTOR_LEN) != SECTORS * SECTOR_LEN)
		die(path);
	close(fd);
}

int main(int argc, char **argv)
{
	static struct search search;

	if (argc < 4) {
		fprintf(stderr,
		        "usage: find_volume_key PLAIN CIPHER pid PID | kcore | file FILE\n");
		return 2;
	}
	read_sectors(argv[1], search.plain);
	read_sectors(argv[2], search.cipher);
	search.context = EVP_CIPHER_CTX_new();
	search.piece = malloc(KEY_LEN + PIECE_LEN);
	if (!search.context || !search.piece ||
	    EVP_DecryptInit_ex2(search.context, EVP_aes_256_xts(), NULL, NULL, NULL) != 1)
		die("OpenSSL");
	if (!strcmp(argv[3], "pid") && argc == 5)
		look_at_process(&search, argv[4]);
	else if (!strcmp(argv[3], "kcore"))
		look_at_kernel(&search);
	else if (!strcmp(argv[3], "file") && argc == 5)
		look_at_file(&search, argv[4]);
	else
		return 2;
	finish(&search, false);
}
