/* SPDX-License-Identifier: Apache-2.0 */
/*
 * craton-hsm-admin volume create, list, rewrap, remove: what happens to volumes in the token.
 */
#include <stdio.h>
#include <string.h>

#include "volume_parts.h"

#define CIPHER_DEFAULT      "aes-xts-plain64"
#define XTS_KEY_LEN         64u /* AES-256, twice */
#define OTHER_KEY_LEN       32u
#define SECTOR_SIZE_DEFAULT 512u

const char *volume_name(const struct admin_options *options)
{
	const char *name = options->arguments[0];

	if (name && strlen(name) <= VOLUME_NAME_MAX)
		return name;
	if (name)
		admin_fail("%s: a volume's name has at most %u characters", name, VOLUME_NAME_MAX);
	else
		admin_fail("name the volume");
	return NULL;
}

/* ---- describe ---- */

static void copy(char *to, size_t room, struct wire_bytes from)
{
	snprintf(to, room, "%.*s", (int)from.len, from.len ? (const char *)from.data : "");
}

bool volume_fetch(struct admin_session *session, const char *name, struct volume_entry *entry,
                  CK_RV *rv)
{
	struct wire_volume_describe_request request = {
		.session = session->handle,
		.name = wire_text(name),
	};
	struct wire_volume_describe_reply reply;

	*rv = request_volume_describe(session->connection, &request, &reply);
	if (*rv)
		return false;
	*entry = (struct volume_entry){
		.key_len = reply.key_len,
		.sector_size = reply.sector_size,
		.offset = reply.offset,
		.sectors = reply.sectors,
		.allow_discards = reply.allow_discards,
		.damaged = reply.damaged,
	};
	copy(entry->name, sizeof(entry->name), reply.name);
	copy(entry->cipher, sizeof(entry->cipher), reply.cipher);
	copy(entry->device, sizeof(entry->device), reply.device);
	return true;
}

/* ---- list ---- */

/* NULL in JSON where the device mapper does not say. */
static json_t *state_json(enum volume_state state)
{
	return state == VOLUME_UNKNOWN ? json_null() : json_boolean(state == VOLUME_OPEN);
}

static const char *state_text(enum volume_state state)
{
	static const char *const names[] = {
		[VOLUME_CLOSED] = "closed",
		[VOLUME_OPEN] = "open",
		[VOLUME_FOREIGN] = "closed; its name is another mapping's",
		[VOLUME_UNKNOWN] = "open or not: no device mapper here",
	};

	return names[state];
}

static void print_volume(const json_t *volume, enum volume_state state)
{
	long long sectors = admin_json_number(volume, "size");

	printf("%s: ", admin_json_text(volume, "name"));
	if (json_is_true(json_object_get(volume, "damaged"))) {
		printf("DAMAGED, %s\n", state_text(state));
		return;
	}
	printf("%s, %s with a key of %lld octets, on %s from sector %lld", state_text(state),
	       admin_json_text(volume, "cipher"), admin_json_number(volume, "key_size"),
	       admin_json_text(volume, "device"), admin_json_number(volume, "offset"));
	if (sectors)
		printf(", %lld sectors", sectors);
	printf("%s\n",
	       json_is_true(json_object_get(volume, "allow_discards")) ? ", discards allowed" : "");
}

/* The agent's array, or NULL with a line on standard error. */
static json_t *fetch_list(const struct admin_options *options)
{
	admin_session_auto session = {0};
	struct wire_volume_list_request request = {0};
	struct wire_volume_list_reply reply;
	json_t *volumes;
	CK_RV rv;

	if (!admin_session_begin(options, ADMIN_USER, false, &session))
		return NULL;
	request.session = session.handle;
	rv = request_volume_list(session.connection, &request, &reply);
	if (rv) {
		admin_fail_rv("volume list", rv);
		return NULL;
	}
	volumes = admin_parse_json(reply.json);
	if (!volumes || json_is_array(volumes))
		return volumes;
	json_decref(volumes);
	admin_fail("the agent's list is no list");
	return NULL;
}

/* What the agent, which maps nothing, cannot know: which are open. */
int admin_volume_list(const struct admin_options *options)
{
	json_t *volumes = fetch_list(options), *volume;
	enum volume_state state;
	size_t index;

	if (!volumes)
		return ADMIN_FAILED;
	json_array_foreach(volumes, index, volume)
	{
		state = volume_mapping_state(admin_json_text(volume, "name"));
		if (options->json)
			json_object_set_new(volume, "open", state_json(state));
		else
			print_volume(volume, state);
	}
	if (options->json)
		return admin_print_json(json_pack("{s:o}", "volumes", volumes));
	json_decref(volumes);
	return ADMIN_DONE;
}

/* ---- create ---- */

static bool fits(const char *option, uint64_t value, uint64_t most)
{
	if (value <= most)
		return true;
	admin_fail("%s %llu: too large", option, (unsigned long long)value);
	return false;
}

/* What the options say of the volume. */
static bool read_options(const struct admin_volume_options *options,
                         struct wire_volume_create_request *request)
{
	const char *cipher = options->cipher ? options->cipher : CIPHER_DEFAULT;
	uint64_t key_len, sector_size;

	if (!admin_number("--key-size", options->key_size,
	                  strstr(cipher, "xts") ? XTS_KEY_LEN : OTHER_KEY_LEN, &key_len) ||
	    !admin_number("--sector-size", options->sector_size, SECTOR_SIZE_DEFAULT,
	                  &sector_size) ||
	    !admin_number("--offset", options->offset, 0, &request->offset) ||
	    !admin_number("--size", options->size, 0, &request->sectors) ||
	    !fits("--key-size", key_len, UINT32_MAX) ||
	    !fits("--sector-size", sector_size, UINT32_MAX))
		return false;
	request->cipher = wire_text(cipher);
	request->key_len = (uint32_t)key_len;
	request->sector_size = (uint32_t)sector_size;
	request->allow_discards = options->allow_discards;
	return true;
}

/* What lies on the device is never overwritten by mistake: the volume's first write would. */
static bool check_device(const struct admin_options *options,
                         const struct wire_volume_create_request *request,
                         char hint[VOLUME_DEVICE_MAX + 1])
{
	volume_device_auto device = {.fd = -1};

	if (!volume_device_open(options->volume.device, &device))
		return false;
	if (request->offset >= device.sectors ||
	    request->sectors > device.sectors - request->offset) {
		admin_fail("%s has %llu sectors of %u octets only", device.path,
		           (unsigned long long)device.sectors, VOLUME_SECTOR_LEN);
		return false;
	}
	return (options->force ||
	        volume_device_is_blank(&device, request->offset, request->sectors)) &&
	       volume_device_hint(&device, hint);
}

/* One object or one line. `in_kernel` NULL: it does not apply. */
static int report(const struct admin_options *options, const char *name, const char *done,
                  const bool *in_kernel)
{
	json_t *json;

	if (!options->json) {
		printf("%s: %s\n", name, done);
		return ADMIN_DONE;
	}
	json = json_pack("{s:s, s:s}", "done", done, "name", name);
	if (in_kernel)
		json_object_set_new(json, "in_kernel", json_boolean(*in_kernel));
	return admin_print_json(json);
}

int admin_volume_create(const struct admin_options *options)
{
	struct wire_volume_create_request request = {0};
	struct wire_volume_create_reply reply;
	const char *name = volume_name(options);
	char hint[VOLUME_DEVICE_MAX + 1];
	admin_session_auto session = {0};
	CK_RV rv;

	if (!options->volume.device)
		admin_fail("volume create: --device is needed");
	if (!name || !options->volume.device || !read_options(&options->volume, &request))
		return ADMIN_USAGE;
	if (!check_device(options, &request, hint) ||
	    !admin_session_begin(options, ADMIN_USER, true, &session))
		return ADMIN_FAILED;
	request.session = session.handle;
	request.name = wire_text(name);
	request.device = wire_text(hint);
	rv = request_volume_create(session.connection, &request, &reply);
	if (rv == CKR_ARGUMENTS_BAD)
		return admin_fail("volume create: a name of letters, digits, '.', '_', '+', '-'; a "
		                  "key of 16 to 128 octets; sectors of 512, 1024, 2048 or 4096 "
		                  "octets, offset and size in whole ones; a cipher as dm-crypt "
		                  "names it");
	return rv ? admin_fail_rv("volume create", rv)
	          : report(options, name, "volume created", &reply.in_kernel);
}

/* ---- rewrap, remove ---- */

int admin_volume_rewrap(const struct admin_options *options)
{
	struct wire_volume_rewrap_request request = {0};
	struct wire_volume_rewrap_reply reply;
	admin_session_auto session = {0};
	CK_RV rv;

	if (!admin_session_begin(options, ADMIN_USER, true, &session))
		return ADMIN_FAILED;
	request.session = session.handle;
	rv = request_volume_rewrap(session.connection, &request, &reply);
	if (rv)
		return admin_fail_rv("volume rewrap: nothing was changed", rv);
	if (options->json)
		return admin_print_json(json_pack("{s:s, s:i, s:b}", "done", "volumes rewrapped",
		                                  "count", reply.count, "in_kernel",
		                                  reply.in_kernel));
	printf("%u volumes rewrapped\n", reply.count);
	return ADMIN_DONE;
}

int admin_volume_remove(const struct admin_options *options)
{
	const char *name = volume_name(options);
	struct wire_volume_remove_request request = {0};
	admin_session_auto session = {0};
	CK_RV rv;

	if (!name)
		return ADMIN_USAGE;
	if (!options->force)
		return admin_fail("volume remove destroys the only copy of %s's key, and with it "
		                  "what is on the volume; --force does it",
		                  name);
	if (!admin_session_begin(options, ADMIN_USER, true, &session))
		return ADMIN_FAILED;
	request.session = session.handle;
	request.name = wire_text(name);
	rv = request_volume_remove(session.connection, &request, NULL);
	return rv ? admin_fail_rv("volume remove", rv)
	          : report(options, name, "volume removed", NULL);
}
