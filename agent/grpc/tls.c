/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's TLS: OpenSSL reads from the octets that have just been received and writes to the
 * buffer that is sent next, so that nothing is copied in between and an idle client holds no
 * buffers.
 */
#include "grpc/tls.h"

#include <ctype.h>
#include <openssl/err.h>
#include <string.h>

#include "grpc/client.h"
#include "log.h"

/* Of all connections; made before the first, and only read afterwards. */
static BIO_METHOD *octets_method;

/* ---- the BIO ---- */

static int bio_read(BIO *bio, char *octets, size_t room, size_t *len)
{
	struct client *client = BIO_get_data(bio);
	size_t now = client->in.len < room ? client->in.len : room;

	BIO_clear_retry_flags(bio);
	if (!now) {
		BIO_set_retry_read(bio);
		return 0;
	}
	memcpy(octets, client->in.data, now);
	client->in.data += now;
	client->in.len -= now;
	*len = now;
	return 1;
}

static int bio_write(BIO *bio, const char *octets, size_t len, size_t *written)
{
	struct client *client = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	wire_put_raw(&client->out, octets, len);
	*written = len;
	return !client->out.failed;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH;
}

bool tls_library_open(void)
{
	octets_method = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "client");
	return octets_method && BIO_meth_set_read_ex(octets_method, bio_read) &&
	       BIO_meth_set_write_ex(octets_method, bio_write) &&
	       BIO_meth_set_ctrl(octets_method, bio_control);
}

void tls_library_close(void)
{
	BIO_meth_free(octets_method);
	octets_method = NULL;
}

/* ---- the handshake ---- */

static void note_alert(const SSL *tls, int where, int value)
{
	struct client *client = SSL_get_app_data(tls);

	if ((where & SSL_CB_WRITE_ALERT) == SSL_CB_WRITE_ALERT)
		client->sent_alert = value;
	else if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT)
		client->received_alert = value;
}

bool tls_start(struct client *client)
{
	BIO *bio = BIO_new(octets_method);

	client->tls = SSL_new(client->settings->tls);
	client->sent_alert = client->received_alert = -1;
	if (!client->tls || !bio) {
		BIO_free(bio);
		return false;
	}
	BIO_set_data(bio, client);
	BIO_set_init(bio, 1);
	SSL_set_bio(client->tls, bio, bio);
	SSL_set_app_data(client->tls, client);
	SSL_set_info_callback(client->tls, note_alert);
	SSL_set_accept_state(client->tls);
	return true;
}

enum tls_result tls_handshake(struct client *client)
{
	int result;

	ERR_clear_error();
	result = SSL_do_handshake(client->tls);
	if (result == 1)
		return TLS_DONE;
	return SSL_get_error(client->tls, result) == SSL_ERROR_WANT_READ ? TLS_WANTS_OCTETS
	                                                                 : TLS_FAILED;
}

/* The alert's name as the specification writes it, in small letters. OpenSSL 3.0 lacks the name of
 * one. */
static void name_alert(int alert, char *name, size_t name_len)
{
	bool is_nameless = (alert & 0xff) == SSL_AD_CERTIFICATE_REQUIRED;
	size_t at = 0;

	for (const char *from = is_nameless ? "certificate required"
	                                    : SSL_alert_desc_string_long(alert);
	     *from && at + 1 < name_len; from++)
		name[at++] = (char)tolower((unsigned char)*from);
	name[at] = '\0';
}

void tls_log_failure(struct client *client)
{
	long verify_error = SSL_get_verify_result(client->tls);
	char alert[48] = "", reason[128];

	if (client->handshake_logged)
		return;
	client->handshake_logged = true;
	atomic_fetch_add(&client->loop->front->counters.failed_handshakes, 1);
	tls_error_text(reason, sizeof(reason));
	if (verify_error != X509_V_OK)
		snprintf(reason, sizeof(reason), "%s", X509_verify_cert_error_string(verify_error));
	if (client->received_alert >= 0) {
		name_alert(client->received_alert, alert, sizeof(alert));
		log_warning("TLS handshake with %s failed: it sent alert %s", client->peer, alert);
	} else if (client->sent_alert >= 0) {
		name_alert(client->sent_alert, alert, sizeof(alert));
		log_warning("TLS handshake with %s failed: alert %s (%s)", client->peer, alert,
		            reason);
	} else {
		log_warning("TLS handshake with %s failed: %s", client->peer,
		            client->at_end ? "it closed the connection" : reason);
	}
}

/* ---- after it ---- */

enum tls_result tls_read(struct client *client, unsigned char *octets, size_t room, size_t *len)
{
	int result;

	ERR_clear_error();
	result = SSL_read_ex(client->tls, octets, room, len);
	if (result == 1)
		return TLS_DONE;
	switch (SSL_get_error(client->tls, result)) {
	case SSL_ERROR_WANT_READ:
		return TLS_WANTS_OCTETS;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_ENDED;
	default:
		return TLS_FAILED;
	}
}

bool tls_write(struct client *client, const unsigned char *octets, size_t len)
{
	size_t written;

	ERR_clear_error();
	while (len) {
		if (SSL_write_ex(client->tls, octets, len, &written) != 1)
			return false;
		octets += written;
		len -= written;
	}
	return true;
}

void tls_end(struct client *client)
{
	ERR_clear_error();
	/* That it cannot be said changes nothing any more. */
	if (client->handshake_done)
		(void)SSL_shutdown(client->tls);
	ERR_clear_error();
}
