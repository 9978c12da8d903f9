/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: a volume's record as a damaged store or a client with the PIN may have it. What is
 * accepted is written again, to the same octets, and its wrapped key has the length it says.
 *
 * FUZZ_SOURCES: agent/volume_record.c
 */
#include <stdlib.h>
#include <string.h>

#include "volume_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_len);

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* A record that libFuzzer would take long to find; what it mutates first. */
static void put_sample(struct wire_buffer *buffer)
{
	uint8_t blob[CRATON_HSM_BLOB_LEN(64)] = {0};
	const struct volume_record sample = {
		.sector_size = 512,
		.kek_id = {blob, VOLUME_KEK_ID_LEN},
		.cipher = {(const uint8_t *)"aes-xts-plain64", 15},
		.device = {(const uint8_t *)"/dev/vda", 8},
		.blob = {blob, sizeof(blob)},
	};

	volume_blob_head((struct wire_bytes){(const uint8_t *)"a", 1}, 64, blob);
	volume_record_encode(buffer, &sample);
	require(!buffer->failed);
}

static void check(struct wire_bytes octets)
{
	struct volume_record record;
	struct wire_buffer again;

	if (!volume_record_decode(octets, &record))
		return;
	require(volume_record_plausible(&record) && volume_blob_valid(record.blob));
	require(record.blob.len == CRATON_HSM_BLOB_LEN(volume_blob_key_len(record.blob)));
	wire_buffer_init(&again, VOLUME_RECORD_MAX, NULL);
	volume_record_encode(&again, &record);
	require(!again.failed && again.len == octets.len &&
	        !memcmp(again.data, octets.data, again.len));
	wire_buffer_free(&again);
}

/* As it is; and, with what comes in pairs, octets of a good record changed: place, value. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_len)
{
	struct wire_buffer buffer;

	check((struct wire_bytes){data, data_len});
	wire_buffer_init(&buffer, VOLUME_RECORD_MAX, NULL);
	put_sample(&buffer);
	for (size_t i = 0; i + 1 < data_len; i += 2)
		buffer.data[data[i] % buffer.len] = data[i + 1];
	check((struct wire_bytes){buffer.data, buffer.len});
	wire_buffer_free(&buffer);
	return 0;
}
