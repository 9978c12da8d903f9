/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who a client is, as its certificate says, and what the rules ([[daemon.clients]]) let it do.
 */
#ifndef GRPC_IDENTITY_H
#define GRPC_IDENTITY_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;
struct rule;
struct rules;

/* "sha256=... serial=1A2B CN=alice,O=Example": fingerprint, serial number, and subject (RFC 2253,
 * cut where it is too long), printable ASCII. The subject is last, so that it can pretend to be
 * nothing else. */
void identity_describe(X509 *certificate, char *text, size_t text_len);

/* Compiles the rules of a configuration, which outlives them. NULL with one line in `error`: a name
 * of an operation is unknown, or there is no memory. */
struct rules *rules_new(const struct config *config, char *error, size_t error_len);
void rules_free(struct rules *rules);
/* Are there any? */
bool rules_exist(const struct rules *rules);
/* The first that fits; NULL: none. `certificate` may be NULL. */
const struct rule *rules_match(const struct rules *rules, X509 *certificate);
/* `rule` NULL: where there are no rules. */
bool rule_allows_slot(const struct rule *rule, uint64_t slot);
/* `method` is a rule's number (method.h). No rule allows nothing. */
bool rule_allows_method(const struct rule *rule, unsigned int method);

#endif
