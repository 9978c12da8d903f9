/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /metrics and /healthz by libmicrohttpd, in a thread of its own, on loopback or a Unix socket.
 * Nothing is read from a request but its path.
 */
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "config.h"
#include "listener.h"
#include "log.h"
#include "metrics_http.h"

#define CONNECTIONS_MAX 16u
#define TIMEOUT_SECONDS 10u
#define MEMORY_MAX      16384u /* of one request */

struct metrics_server {
	struct metrics_source source;
	const char *key; /* of the configuration, for messages */
	struct MHD_Daemon *daemon;
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)]; /* "": not a Unix socket */
};

/* ---- answers ---- */

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned int status,
                              const char *type, char *text, size_t len,
                              enum MHD_ResponseMemoryMode mode)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(len, text, mode);
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned int status,
                                   const char *text)
{
	return answer(connection, status, "text/plain; charset=utf-8", (char *)(uintptr_t)text,
	              strlen(text), MHD_RESPMEM_MUST_COPY);
}

static enum MHD_Result answer_metrics(struct metrics_server *server,
                                      struct MHD_Connection *connection)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return MHD_NO;
	server->source.write(server->source.context, out);
	if (fclose(out)) {
		free(text);
		return MHD_NO;
	}
	return answer(connection, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", text,
	              len, MHD_RESPMEM_MUST_FREE);
}

/* For load balancers and probes: does it serve? */
static enum MHD_Result answer_health(struct metrics_server *server,
                                     struct MHD_Connection *connection)
{
	char text[512];

	if (server->source.healthy(server->source.context, text, sizeof(text)))
		return answer_text(connection, MHD_HTTP_OK, "ok\n");
	return answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, text);
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_len, void **unused)
{
	struct metrics_server *server = context;

	(void)version;
	(void)upload;
	(void)upload_len;
	(void)unused;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET only\n");
	if (!strcmp(url, "/metrics"))
		return answer_metrics(server, connection);
	if (!strcmp(url, "/healthz"))
		return answer_health(server, connection);
	return answer_text(connection, MHD_HTTP_NOT_FOUND, "/metrics and /healthz\n");
}

/* ---- listening ---- */

static int open_tcp(const struct sockaddr_storage *address, socklen_t len)
{
	int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;

	if (fd < 0)
		return -1;
	if (!setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) &&
	    !bind(fd, (const struct sockaddr *)address, len) && !listen(fd, (int)CONNECTIONS_MAX))
		return fd;
	one = errno; /* close may change it */
	close(fd);
	errno = one;
	return -1;
}

static int open_socket(struct metrics_server *server, const char *where, char *error,
                       size_t error_len)
{
	struct sockaddr_storage address;
	socklen_t len;
	int fd;

	if (where[0] == '/') {
		snprintf(server->path, sizeof(server->path), "%s", where);
		return listener_open_for(server->key, where, 0660, error, error_len);
	}
	fd = config_resolve(where, &address, &len) ? open_tcp(&address, len) : -1;
	if (fd < 0)
		snprintf(error, error_len, "%s: cannot listen on %s: %s", server->key, where,
		         strerror(errno));
	return fd;
}

static void log_microhttpd(void *unused, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));

static void log_microhttpd(void *unused, const char *format, va_list arguments)
{
	char line[256];

	(void)unused;
	vsnprintf(line, sizeof(line), format, arguments);
	line[strcspn(line, "\n")] = '\0';
	log_info("metrics: %s", line);
}

int metrics_http_open(struct metrics_server **out, const char *key, const char *where,
                      const struct metrics_source *source, char *error, size_t error_len)
{
	struct metrics_server *server;
	int fd;

	*out = NULL;
	if (!where || !*where)
		return 0;
	server = calloc(1, sizeof(*server));
	if (server) {
		server->source = *source;
		server->key = key;
	}
	fd = server ? open_socket(server, where, error, error_len) : -1;
	if (fd < 0) {
		free(server);
		return -1;
	}
	server->daemon = MHD_start_daemon(
		MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ERROR_LOG | MHD_USE_ITC, 0,
		NULL, NULL, handle, server, MHD_OPTION_EXTERNAL_LOGGER, log_microhttpd, NULL,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
		MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)MEMORY_MAX, MHD_OPTION_END);
	if (server->daemon) {
		log_notice("metrics and health are on %s", where);
		*out = server;
		return 0;
	}
	snprintf(error, error_len, "%s: the HTTP server does not start on %s", key, where);
	close(fd);
	free(server);
	return -1;
}

void metrics_http_close(struct metrics_server *server)
{
	if (!server)
		return;
	MHD_stop_daemon(server->daemon); /* closes the socket, too */
	if (server->path[0])
		unlink(server->path);
	free(server);
}
