/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the seeds of the fuzz targets: `seeds DIRECTORY` makes DIRECTORY/wire_request, wire_reply
 * and wire_frame with one file per message and kind of mechanism parameter, made from the tables,
 * so that a new message is fuzzed from the day it is written; and DIRECTORY/event with what the
 * kernel says.
 */
#include "fuzz/wire_messages.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <craton_hsm.h>

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

static void write_event(const char *directory, const char *name, const void *octets, size_t len)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/event/%s", directory, name);
	file = fopen(path, "wb");
	if (!file || fwrite(octets, 1, len, file) != len || fclose(file))
		fail(path);
}

/* A netlink attribute's head: its length, then its type. */
static void put_head(struct wire_buffer *octets, unsigned int type, size_t value_len)
{
	wire_put_u16(octets, (uint16_t)(4 + value_len));
	wire_put_u16(octets, (uint16_t)type);
}

/* A text with its zero, padded. */
static void put_text(struct wire_buffer *octets, unsigned int type, const char *text)
{
	size_t len = strlen(text) + 1;

	put_head(octets, type, len);
	wire_put_raw(octets, text, len);
	wire_put_raw(octets, "\0\0\0", -len & 3);
}

/* Every number that an event may carry, behind the two octets of event_fuzz.c. */
static void seed_event(const char *directory)
{
	struct wire_buffer octets;

	wire_buffer_init(&octets, SAMPLE_SCRATCH_LEN, NULL);
	wire_put_u8(&octets, 1);
	wire_put_u8(&octets, CRATON_HSM_EVENT_SLOT_CREATED);
	for (unsigned int type = CRATON_HSM_ATTR_TIME; type <= CRATON_HSM_ATTR_COUNT; type++) {
		bool wide = type == CRATON_HSM_ATTR_TIME || type == CRATON_HSM_ATTR_GENERATION;

		put_head(&octets, type, wide ? 8 : 4);
		wire_put_u32(&octets, 1);
		if (wide)
			wire_put_u32(&octets, 0);
	}
	write_event(directory, "numbers", octets.data, octets.len);
	wire_buffer_free(&octets);
}

/* What nlctrl says when the module comes. */
static void seed_family(const char *directory)
{
	const size_t group_len = 8 + 4 + ((sizeof(CRATON_HSM_GENL_GROUP) + 3) & ~3u);
	struct wire_buffer octets;

	wire_buffer_init(&octets, SAMPLE_SCRATCH_LEN, NULL);
	wire_put_u8(&octets, 1);
	wire_put_u8(&octets, CTRL_CMD_NEWFAMILY);
	put_text(&octets, CTRL_ATTR_FAMILY_NAME, CRATON_HSM_GENL_NAME);
	put_head(&octets, CTRL_ATTR_FAMILY_ID, 2);
	wire_put_u32(&octets, 33);
	put_head(&octets, CTRL_ATTR_MCAST_GROUPS, 4 + group_len);
	put_head(&octets, 1, group_len);
	put_head(&octets, CTRL_ATTR_MCAST_GRP_ID, 4);
	wire_put_u32(&octets, 55);
	put_text(&octets, CTRL_ATTR_MCAST_GRP_NAME, CRATON_HSM_GENL_GROUP);
	write_event(directory, "family", octets.data, octets.len);
	wire_buffer_free(&octets);
}

static void seed_uevent(const char *directory)
{
	static const char octets[] = "\2change@/devices\0ACTION=change\0NEW_VMGENID=1";

	static const char line[] = "\3"
				   "5,1,2,-;random: crng reseeded due to virtual machine fork\n";

	write_event(directory, "uevent", octets, sizeof(octets));
	write_event(directory, "log", line, sizeof(line) - 1);
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
	make_directory(argv[1], "event");
	seed_event(argv[1]);
	seed_family(argv[1]);
	seed_uevent(argv[1]);
	for (size_t i = 0; i < MESSAGE_ROW_COUNT; i++)
		for (unsigned int variant = 0; variant < SAMPLE_VARIANTS; variant++) {
			seed_body(argv[1], &message_rows[i], variant);
			seed_frames(argv[1], &message_rows[i], variant);
		}
	return 0;
}
