/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: reply bodies, as the client library meets them from an agent it need not trust. Two
 * octets choose the opcode, the rest is the body. Whatever is accepted must be walkable and encode
 * to the same octets again.
 */
#include "fuzz/wire_messages.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_len)
{
	const struct message_row *row;

	if (data_len < 2)
		return -1;
	row = message_row_find((uint16_t)(data[0] | data[1] << 8), true);
	if (!row)
		return -1;
	if (message_recode(row, (struct wire_bytes){data + 2, data_len - 2}) == RECODING_DIFFERENT)
		abort();
	return 0;
}
