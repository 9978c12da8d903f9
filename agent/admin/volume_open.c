/* SPDX-License-Identifier: Apache-2.0 */
/*
 * craton-hsm-admin volume open and close. The agent puts the key into a keyring of this process,
 * the mapping takes it from there, and the keyring goes: nothing of it outlasts this process, not
 * even its being killed.
 */
#include <stdio.h>
#include <string.h>

#include "volume_parts.h"

#define KEY_SECONDS 60u /* the key's life when it only has to serve a mapping */

/* Tells the agent for its audit log; the volume is closed whether or not it hears. */
static CK_RV tell_closed(struct connection *connection, const char *name)
{
	struct wire_volume_close_request request = {.name = wire_text(name)};

	return request_volume_close(connection, &request, NULL);
}

/* ---- open ---- */

struct opening {
	const struct admin_options *options;
	struct admin_session session;
	struct volume_entry entry;
	struct volume_device device;
	int32_t keyring;
	struct wire_volume_open_reply reply;
};

static bool fetch(struct opening *opening, const char *name)
{
	CK_RV rv;

	if (!volume_fetch(&opening->session, name, &opening->entry, &rv)) {
		admin_fail_rv(name, rv);
		return false;
	}
	if (opening->entry.damaged)
		admin_fail_rv(name, CKR_CRATON_VOLUME_DAMAGED);
	return !opening->entry.damaged;
}

static bool check_closed(const struct opening *opening)
{
	const char *name = opening->entry.name;

	switch (volume_mapping_state(name)) {
	case VOLUME_OPEN:
		admin_fail("%s is open already", name);
		return false;
	case VOLUME_FOREIGN:
		admin_fail("%s is another mapping's name", name);
		return false;
	default:
		return true;
	}
}

/* What is enciphered looks like nothing that is known: anything else is another device. */
static bool check_device(struct opening *opening)
{
	const struct admin_volume_options *options = &opening->options->volume;
	const struct volume_entry *entry = &opening->entry;

	return volume_device_open(options->device ? options->device : entry->device,
	                          &opening->device) &&
	       volume_mapping_sectors(entry, &opening->device) &&
	       (opening->options->force ||
	        volume_device_is_blank(&opening->device, entry->offset, entry->sectors));
}

/* The agent puts the key into opening->keyring. */
static bool fetch_key(struct opening *opening)
{
	struct wire_volume_open_request request = {
		.session = opening->session.handle,
		.name = wire_text(opening->entry.name),
		.keyring = (uint32_t)opening->keyring,
		.timeout = opening->options->volume.key_only ? 0 : KEY_SECONDS,
	};
	CK_RV rv = request_volume_open(opening->session.connection, &request, &opening->reply);

	if (rv)
		admin_fail_rv("volume open", rv);
	return !rv;
}

/* With the key in a keyring of this process: the mapping, or nothing. */
static bool map(struct opening *opening)
{
	if (volume_mapping_make(&opening->entry, &opening->device,
	                        opening->options->volume.read_only))
		return true;
	if (tell_closed(opening->session.connection, opening->entry.name))
		admin_fail("the agent's audit log does not hear that %s is closed",
		           opening->entry.name);
	return false;
}

static bool open_volume(struct opening *opening)
{
	bool keep = opening->options->volume.key_only;
	bool done;

	opening->keyring =
		volume_keyring_make(opening->session.connection, opening->entry.name, keep);
	if (!opening->keyring)
		return false;
	done = fetch_key(opening) && (keep || map(opening));
	if (!done || !keep)
		volume_keyring_drop(opening->keyring, keep);
	return done;
}

/* ---- what was done ---- */

static int report_key(const struct opening *opening)
{
	uint64_t sectors = volume_mapping_sectors(&opening->entry, &opening->device);
	char parameters[VOLUME_PARAMETERS_MAX], table[VOLUME_PARAMETERS_MAX + 32];

	volume_mapping_parameters(&opening->entry, &opening->device, parameters);
	snprintf(table, sizeof(table), "0 %llu crypt %s", (unsigned long long)sectors, parameters);
	if (opening->options->json)
		return admin_print_json(json_pack("{s:s, s:s, s:i, s:i, s:s, s:b}", "done",
		                                  "key placed", "name", opening->entry.name, "key",
		                                  (int)opening->reply.key, "keyring",
		                                  (int)opening->keyring, "table", table,
		                                  "in_kernel", opening->reply.in_kernel));
	printf("%s: key %d in keyring %d of this session\n%s\n", opening->entry.name,
	       (int)opening->reply.key, (int)opening->keyring, table);
	return ADMIN_DONE;
}

static int report_mapping(const struct opening *opening)
{
	char path[sizeof("/dev/mapper/") + VOLUME_NAME_MAX];

	snprintf(path, sizeof(path), "/dev/mapper/%s", opening->entry.name);
	if (opening->options->json)
		return admin_print_json(json_pack("{s:s, s:s, s:s, s:b}", "done", "volume opened",
		                                  "name", opening->entry.name, "mapping", path,
		                                  "in_kernel", opening->reply.in_kernel));
	printf("%s: open as %s\n", opening->entry.name, path);
	return ADMIN_DONE;
}

static int report_open(const struct opening *opening)
{
	if (!opening->reply.in_kernel)
		fputs("notice: without the kernel module the volume's key has passed through the "
		      "agent's memory (docs/dm-crypt.md)\n",
		      stderr);
	return opening->options->volume.key_only ? report_key(opening) : report_mapping(opening);
}

int admin_volume_open(const struct admin_options *options)
{
	struct opening opening = {.options = options, .device = {.fd = -1}};
	const char *name = volume_name(options);
	bool done;

	if (!name)
		return ADMIN_USAGE;
	done = admin_session_begin(options, ADMIN_USER, false, &opening.session) &&
	       fetch(&opening, name) && check_closed(&opening) && check_device(&opening) &&
	       open_volume(&opening);
	volume_device_close(&opening.device);
	admin_session_end(&opening.session);
	return done ? report_open(&opening) : ADMIN_FAILED;
}

/* ---- close ---- */

/* Closing needs no agent, as when the machine goes down; only the audit log misses it then. */
static void audit_close(const struct admin_options *options, const char *name)
{
	struct channel *channel = NULL;
	CK_RV rv = CKR_DEVICE_REMOVED;

	if (admin_connect(options, CHANNEL_HELLO, &channel)) {
		connection_auto connection = channel_borrow(channel, &rv);

		if (connection)
			rv = tell_closed(connection, name);
	}
	if (rv)
		fprintf(stderr, "notice: %s is closed, which the agent's audit log does not say\n",
		        name);
	channel_close(channel);
}

/* The mapping and the key, as far as they are there. False with a line on standard error. */
static bool close_volume(const char *name)
{
	bool had_key = volume_keyring_purge(name);

	switch (volume_mapping_state(name)) {
	case VOLUME_OPEN:
		return volume_mapping_remove(name);
	case VOLUME_FOREIGN:
		admin_fail("%s is another mapping's name", name);
		return had_key;
	default:
		if (!had_key)
			admin_fail("%s is not open", name);
		return had_key;
	}
}

int admin_volume_close(const struct admin_options *options)
{
	const char *name = volume_name(options);

	if (!name)
		return ADMIN_USAGE;
	if (!close_volume(name))
		return ADMIN_FAILED;
	audit_close(options, name);
	if (options->json)
		return admin_print_json(
			json_pack("{s:s, s:s}", "done", "volume closed", "name", name));
	printf("%s: closed\n", name);
	return ADMIN_DONE;
}
