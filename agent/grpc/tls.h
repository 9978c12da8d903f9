/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS by OpenSSL: the context made of the configuration's files, and a client's side of it over
 * octets in memory. What the files may not be is refused here, with the file's name.
 */
#ifndef GRPC_TLS_H
#define GRPC_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

struct client;
struct config;

/* Before the first context: makes what all connections share. False: out of memory. */
bool tls_library_open(void);
void tls_library_close(void);
/* Reads certificate, key, authorities and revocations. 0, or -1 with one line in `error`. */
int tls_context_new(SSL_CTX **context, const struct config *config, char *error, size_t error_len);
/* May the address be listened on, without the clients being known? -1 with one line in `error`. */
int tls_check_exposure(const struct config *config, char *error, size_t error_len);

/* Begins the server's side for a client. False: out of memory. */
bool tls_start(struct client *client);
enum tls_result { TLS_DONE, TLS_WANTS_OCTETS, TLS_FAILED, TLS_ENDED };
/* Goes on with the handshake. */
enum tls_result tls_handshake(struct client *client);
/* Says in the log, once, why the handshake failed: which alert, who, and what OpenSSL thinks of it.
 */
void tls_log_failure(struct client *client);
/* Octets that the client sent: TLS_DONE with *len of them. */
enum tls_result tls_read(struct client *client, unsigned char *octets, size_t room, size_t *len);
/* Appends a record, or several, to client->out. False: TLS is broken. */
bool tls_write(struct client *client, const unsigned char *octets, size_t len);
/* Says goodbye: close_notify. */
void tls_end(struct client *client);

/* tls_key.c: tells pkcs11-provider of our own module and agent, by the environment, unless that
 * names others. Before there are threads: others read the environment. */
void tls_key_use_module(const struct config *config);
/* The private key behind a path or a pkcs11: URI. NULL with one line in `error`. */
EVP_PKEY *tls_key_load(const char *location, char *error, size_t error_len);
/* Is the key in a token, so that each handshake waits for the agent? */
bool tls_key_is_in_token(const char *location);
/* The first line of OpenSSL's error queue, which is emptied. */
void tls_error_text(char *text, size_t text_len);

#endif
