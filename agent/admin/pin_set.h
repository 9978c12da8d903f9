/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Setting the user PIN as SO: what token init and pin reset share.
 */
#ifndef ADMIN_PIN_SET_H
#define ADMIN_PIN_SET_H

#include "admin.h"

/* The SO's session ends with the connection. False with a line on standard error. */
bool pin_set_user(struct connection *connection, uint64_t slot_id, const struct admin_pin *so_pin,
                  const struct admin_pin *user_pin);

#endif
