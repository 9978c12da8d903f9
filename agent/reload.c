/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replacing the configuration under threads that read it without locks: they find the new one by an
 * atomic pointer, and the old one stays until the end, since nobody knows who still reads it. That
 * is some kilobytes for each SIGHUP that changed something.
 */
#include "reload.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "audit.h"
#include "audit_format.h"
#include "config.h"
#include "log.h"
#include "token.h"

struct retired_config {
	struct config *config;
	struct retired_config *next;
};

/* What differs, for the log and the audit record. */
struct changes {
	unsigned int applied, waiting;
	char names[AUDIT_DETAIL_MAX];
};

static void note_change(void *context, const char *table, const char *key, bool applied)
{
	struct changes *changes = context;
	size_t len = strlen(changes->names);

	/* These are cratond's, which has its own SIGHUP. */
	if (strcmp(table, "daemon") == 0) /* not secret: names */
		return;
	if (!applied) {
		changes->waiting++;
		log_warning("SIGHUP: [%s].%s takes effect at the next restart", table, key);
		return;
	}
	changes->applied++;
	log_notice("SIGHUP: [%s].%s is in force", table, key);
	snprintf(changes->names + len, sizeof(changes->names) - len, "%s%s.%s", len ? " " : "",
	         table, key);
}

static void record(struct agent *agent, const struct changes *changes)
{
	struct audit_record record =
		audit_own_record("reload-configuration", ERROR_NONE, changes->names);

	audit_append_own(agent->audit, &record);
}

/* Said by the level that was in force before, lest switching the log off goes unrecorded. */
static void take_over(struct agent *agent, struct config *fresh, struct retired_config *retired,
                      const struct changes *changes)
{
	record(agent, changes);
	*retired = (struct retired_config){agent->config, agent->retired};
	agent->retired = retired;
	agent->config = fresh;
	audit_configure(agent->audit, fresh);
	for (uint32_t i = 0; i < agent->slot_count; i++)
		token_configure(agent->slots[i].token, fresh);
	epoch_raise(&agent->epoch);
}

void reload_configuration(struct agent *agent)
{
	struct retired_config *retired = malloc(sizeof(*retired));
	struct changes changes = {0};
	char error[CONFIG_ERROR_LEN];
	struct config *fresh = NULL;

	if (config_load(&fresh, agent->config_path, error, sizeof(error)))
		log_error("SIGHUP: %s; the configuration stays as it was", error);
	else if (!retired || config_inherit(fresh, agent->config, note_change, &changes))
		log_error("SIGHUP: out of memory; the configuration stays as it was");
	else if (changes.applied) {
		take_over(agent, fresh, retired, &changes);
		return;
	} else if (!changes.waiting)
		log_notice("SIGHUP: nothing in %s has changed", agent->config_path);
	config_free(fresh);
	free(retired);
}

void reload_free(struct agent *agent)
{
	while (agent->retired) {
		struct retired_config *retired = agent->retired;

		agent->retired = retired->next;
		config_free(retired->config);
		free(retired);
	}
}
