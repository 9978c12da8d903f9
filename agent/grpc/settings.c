/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration with what is made of it, counted: a SIGHUP puts new settings in force for
 * connections that come from then on, while those that are there keep theirs until they end.
 */
#include <stdlib.h>
#include <string.h>

#include "completion.h"
#include "config.h"
#include "grpc/front.h"
#include "grpc/identity.h"
#include "grpc/tls.h"
#include "log.h"

static void destroy(struct settings *settings)
{
	SSL_CTX_free(settings->tls);
	rules_free(settings->rules);
	config_free(settings->config);
	free(settings);
}

struct settings *settings_new(struct front *front, struct config *config, char *error,
                              size_t error_len)
{
	struct settings *settings = calloc(1, sizeof(*settings));

	if (!settings) {
		snprintf(error, error_len, "out of memory");
		config_free(config);
		return NULL;
	}
	atomic_init(&settings->references, 1);
	settings->config = config;
	settings->key_in_token = tls_key_is_in_token(config->daemon.tls_key);
	if (settings->key_in_token)
		atomic_store(&front->token_used, true);
	settings->rules = rules_new(config, error, error_len);
	if (settings->rules && !tls_context_new(&settings->tls, config, error, error_len))
		return settings;
	destroy(settings);
	return NULL;
}

static void release(struct errand *errand)
{
	destroy(container_of(errand, struct settings, release));
}

/* With a key in a token this asks something of the agent. A reload, which may be what leads away
 * from a key whose agent hangs, does not wait for that. */
void settings_put(struct front *front, struct settings *settings)
{
	if (atomic_fetch_sub(&settings->references, 1) > 1)
		return;
	if (!settings->key_in_token || !front->handshakes) {
		destroy(settings);
		return;
	}
	settings->release = (struct errand){.run = release};
	errands_add(front->handshakes, &settings->release);
}

struct settings *front_settings(struct front *front)
{
	struct settings *settings;

	pthread_mutex_lock(&front->settings_lock);
	settings = front->settings;
	atomic_fetch_add(&settings->references, 1);
	pthread_mutex_unlock(&front->settings_lock);
	return settings;
}

static void replace(struct front *front, struct settings *fresh)
{
	struct settings *old;

	pthread_mutex_lock(&front->settings_lock);
	old = front->settings;
	front->settings = fresh;
	pthread_mutex_unlock(&front->settings_lock);
	settings_put(front, old);
}

/* The other tables are the agent's, but for what both read at their start. */
static void note_change(void *context, const char *table, const char *key, bool applied)
{
	(void)context;
	if (strcmp(table, "daemon") != 0) /* not secret: names */
		return;
	if (applied)
		log_notice("SIGHUP: [daemon].%s is in force for new connections", key);
	else
		log_warning("SIGHUP: [daemon].%s takes effect at the next restart", key);
}

/* The files are read again even if the configuration has not changed: they may have. */
void front_reload(struct front *front)
{
	struct settings *running = front_settings(front), *fresh = NULL;
	char error[CONFIG_ERROR_LEN + 512] = "";
	struct config *config = NULL;

	if (!config_load(&config, front->config_path, error, sizeof(error))) {
		if (config_inherit(config, running->config, note_change, NULL)) {
			snprintf(error, sizeof(error), "out of memory");
			config_free(config);
		} else {
			fresh = settings_new(front, config, error, sizeof(error));
		}
	}
	settings_put(front, running);
	if (!fresh) {
		log_error("SIGHUP: %s; everything stays as it was", error);
		return;
	}
	replace(front, fresh);
	log_notice("SIGHUP: certificates, authorities and rules have been read again");
}
