/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the seeds of the wire fuzz targets: `seeds DIRECTORY` makes DIRECTORY/wire_request,
 * wire_reply and wire_frame with one file per message and kind of mechanism parameter. Made from
 * the tables, so that a new message is fuzzed from the day it is written.
 */
#include "fuzz/wire_messages.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void fail(const char *what)
{
	fprintf(stderr, "seeds: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void make_directory(const char *parent, const char *name)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", parent, name);
	if (mkdir(path, 0755) && errno != EEXIST)
		fail(path);
}

static void write_seed(const char *directory, const char *kind, const struct message_row *row,
                       unsigned int variant, const struct wire_buffer *octets)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s/%s-%s-%u", directory, kind, row->name,
	         row->reply ? "reply" : "request", variant);
	file = fopen(path, "wb");
	if (!file || fwrite(octets->data, 1, octets->len, file) != octets->len || fclose(file))
		fail(path);
}

/* Opcode and body, for the request and reply targets. */
static void seed_body(const char *directory, const struct message_row *row, unsigned int variant)
{
	struct wire_buffer octets;

	wire_buffer_init(&octets, SAMPLE_SCRATCH_LEN, NULL);
	wire_put_u16(&octets, row->opcode);
	if (!message_sample(row, variant, &octets))
		fail(row->name);
	write_seed(directory, row->reply ? "wire_reply" : "wire_request", row, variant, &octets);
	wire_buffer_free(&octets);
}

/* A piece size and the frame twice, for the frame target. */
static void seed_frames(const char *directory, const struct message_row *row, unsigned int variant)
{
	const struct wire_frame_header header = {
		.request_id = variant,
		.opcode = row->opcode,
		.flags = row->reply ? WIRE_FRAME_REPLY : 0,
	};
	struct wire_buffer octets;

	wire_buffer_init(&octets, SAMPLE_SCRATCH_LEN, NULL);
	wire_put_u8(&octets, 40);
	for (int i = 0; i < 2; i++) {
		size_t offset = wire_frame_begin(&octets, &header);

		if (!message_sample(row, variant, &octets))
			fail(row->name);
		wire_frame_finish(&octets, offset);
	}
	write_seed(directory, "wire_frame", row, variant, &octets);
	wire_buffer_free(&octets);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: seeds DIRECTORY\n");
		return 2;
	}
	make_directory(argv[1], "wire_request");
	make_directory(argv[1], "wire_reply");
	make_directory(argv[1], "wire_frame");
	for (size_t i = 0; i < MESSAGE_ROW_COUNT; i++)
		for (unsigned int variant = 0; variant < SAMPLE_VARIANTS; variant++) {
			seed_body(argv[1], &message_rows[i], variant);
			seed_frames(argv[1], &message_rows[i], variant);
		}
	return 0;
}
