/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The context's one question. Filling and emptying it is main's business.
 */
#include "agent.h"

#include <stddef.h>

struct agent_slot *agent_slot(struct agent *agent, uint64_t slot_id)
{
	if (!agent->slots || slot_id >= agent->slot_count)
		return NULL;
	return &agent->slots[slot_id];
}
