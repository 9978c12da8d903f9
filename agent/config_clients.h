/* SPDX-License-Identifier: Apache-2.0 */
/*
 * [[daemon.clients]]: the rules about which client of cratond may do what, of which a file has any
 * number. What the names of the operations mean is cratond's business.
 */
#ifndef AGENT_CONFIG_CLIENTS_H
#define AGENT_CONFIG_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define CONFIG_CLIENTS_TABLE "daemon.clients"

struct config;
struct toml_table;

/* Adds one rule. False with what is wrong in `error`. */
bool config_clients_add(struct config *config, const struct toml_table *table, char *error,
                        size_t error_len) __attribute__((warn_unused_result));
void config_clients_free(struct config *config);
void config_clients_print_example(FILE *stream);
void config_clients_print_markdown(FILE *stream);

#endif
