/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration: defaults, every type's refusals with file and line, the relations between
 * keys, the rules about the file itself, reload, and that the generated example stands for the
 * defaults. Rows B8, B14 and B23.
 */
#include "config.h"
#include "harness.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct refusal {
	const char *text;
	const char *says;
};

static struct config *parse(const char *text)
{
	char error[CONFIG_ERROR_LEN];
	struct config *config;

	if (config_parse(&config, "test.toml", text, strlen(text), error, sizeof(error)) != 0)
		fprintf(stderr, "# %s\n", error);
	return config;
}

static bool is_accepted(const char *text)
{
	struct config *config = parse(text);

	config_free(config);
	return config != NULL;
}

/* Each is refused in one line that begins with "test.toml:" and contains `says`. */
static void expect_refusals(const struct refusal *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char error[CONFIG_ERROR_LEN] = "";
		struct config *config;
		bool right;

		EXPECT_EQ(config_parse(&config, "test.toml", rows[i].text, strlen(rows[i].text),
		                       error, sizeof(error)),
		          -1);
		EXPECT_TRUE(config == NULL);
		right = strncmp(error, "test.toml:", 10) == 0 && strstr(error, rows[i].says) &&
		        !strchr(error, '\n');
		if (!right)
			fprintf(stderr, "# row %zu: %s\n", i, error);
		EXPECT_TRUE(right);
	}
}

#define EXPECT_REFUSALS(rows) expect_refusals(rows, sizeof(rows) / sizeof((rows)[0]))

TEST(defaults)
{
	struct config *config = config_defaults();

	ASSERT_TRUE(config != NULL);
	EXPECT_STREQ(config->token.label, "Craton HSM Token 0");
	EXPECT_STREQ(config->token.storage_path, "/var/lib/craton-hsm/store");
	EXPECT_EQ(config->token.max_sessions, 100);
	EXPECT_EQ(config->token.max_rw_sessions, 10);
	EXPECT_EQ(config->token.slot_count, 1);
	EXPECT_STREQ(config->token.serial_number, "");
	EXPECT_FALSE(config->token.present_uninitialized);
	EXPECT_EQ(config->security.pin_min_length, 8);
	EXPECT_EQ(config->security.pin_max_length, 64);
	EXPECT_EQ(config->security.max_failed_logins, 10);
	EXPECT_EQ(config->security.pbkdf2_iterations, 600000);
	EXPECT_FALSE(config->security.require_integrity);
	EXPECT_EQ(config->security.locked_memory, CONFIG_LOCKED_AUTO);
	EXPECT_EQ(config->security.allowed_uids.restricted, 0);
	EXPECT_EQ(config->security.allowed_gids.restricted, 0);
	config_free(config);
	config_free(NULL);
}

TEST(more_defaults)
{
	struct config *config = config_defaults();

	ASSERT_TRUE(config != NULL);
	EXPECT_FALSE(config->algorithms.fips_approved_only);
	EXPECT_TRUE(config->algorithms.enable_pqc);
	EXPECT_FALSE(config->algorithms.allow_weak_rsa);
	EXPECT_FALSE(config->algorithms.allow_sha1_signing);
	EXPECT_FALSE(config->algorithms.allow_raw_rsa);
	EXPECT_TRUE(config->audit.enabled);
	EXPECT_STREQ(config->audit.log_path, "/var/lib/craton-hsm/audit.jsonl");
	EXPECT_EQ(config->audit.log_level, CONFIG_AUDIT_ALL);
	EXPECT_EQ(config->audit.sync, CONFIG_SYNC_BATCH);
	EXPECT_EQ(config->audit.max_size, 0);
	EXPECT_STREQ(config->agent.socket, "/run/craton-hsm/pkcs11.sock");
	EXPECT_STREQ(config->agent.device_key, "");
	EXPECT_EQ(config->agent.threads, 0);
	EXPECT_EQ(config->agent.busy_poll_us, 100);
	EXPECT_EQ(config->agent.workers, 2);
	EXPECT_STREQ(config->daemon.bind, "127.0.0.1:5696");
	EXPECT_STREQ(config->daemon.tls_client_crl, "");
	EXPECT_FALSE(config->daemon.allow_unauthenticated_tls);
	EXPECT_STREQ(config->metrics.listen, "");
	config_free(config);
}

TEST(values_are_taken)
{
	struct config *config = parse("[security]\nlocked_memory = 'memfd'\npin_min_length = 0x0A\n"
	                              "allowed_uids = [0, 4294967294]\nallowed_gids = []\n"
	                              "[token]\nlabel = \"caf\\u00e9\"\nmax_sessions = 0\n"
	                              "[audit]\nlog_level = 'none'\nsync = 'always'\n"
	                              "[daemon]\nbind = '[::]:5696'\n"
	                              "[metrics]\nlisten = '/run/craton-hsm/metrics.sock'\n");

	ASSERT_TRUE(config != NULL);
	EXPECT_EQ(config->security.locked_memory, CONFIG_LOCKED_MEMFD);
	EXPECT_EQ(config->security.pin_min_length, 10);
	EXPECT_EQ(config->security.allowed_uids.count, 2);
	EXPECT_EQ(config->security.allowed_uids.ids[1], 4294967294u);
	EXPECT_EQ(config->security.allowed_gids.restricted, 1);
	EXPECT_EQ(config->security.allowed_gids.count, 0);
	EXPECT_STREQ(config->token.label, "caf\xc3\xa9");
	EXPECT_EQ(config->token.max_rw_sessions, 10);
	EXPECT_EQ(config->audit.log_level, CONFIG_AUDIT_NONE);
	EXPECT_EQ(config->audit.sync, CONFIG_SYNC_ALWAYS);
	EXPECT_STREQ(config->daemon.bind, "[::]:5696");
	config_free(config);
}

TEST(unknown_and_misplaced)
{
	static const struct refusal rows[] = {
		{"\n\n[tokens]", ":3: unknown table [tokens]"},
		{"[token]\nlable = 'x'", ":2: unknown key 'lable' in [token]"},
		{"[security]\nmax_sessions = 1", ":2: 'max_sessions' does not belong in"},
		{"max_sessions = 1", ":1: key 'max_sessions' stands before"},
		{"[[token]]", ":1: [[token]] is an array of tables"},
		{"[token]\n[token]", ":2: table 'token' is given twice"},
		{"[token]\nlabel = 'a'\nlabel = 'b'", ":3: key 'label' is given twice"},
		{"[token]\nlabel = 1.0", ":2: '1.0' is a floating-point number"},
	};

	EXPECT_REFUSALS(rows);
}

TEST(wrong_types)
{
	static const struct refusal rows[] = {
		{"[token]\nmax_sessions = '1'", ":2: [token].max_sessions has the wrong type; "
	                                        "write an integer"},
		{"[token]\nlabel = 1", ":2: [token].label has the wrong type; write a string"},
		{"[audit]\nenabled = 1", ":2: [audit].enabled has the wrong type; write true"},
		{"[audit]\nsync = true", ":2: [audit].sync has the wrong type; write a string"},
		{"[security]\nallowed_uids = 0", "write an array of integers"},
		{"[security]\nallowed_uids = [\n0,\n'root']", ":4: [security].allowed_uids must"},
	};

	EXPECT_REFUSALS(rows);
}

TEST(numbers_in_range)
{
	static const struct refusal rows[] = {
		{"[token]\nslot_count = 0", ":2: [token].slot_count = 0 is out of range; use "
	                                    "1..256"},
		{"[token]\nslot_count = 257", "1..256"},
		{"[token]\nmax_sessions = -1", "0..1000000"},
		{"[security]\npin_min_length = 3", "4..255"},
		{"[security]\npin_max_length = 256", "4..255"},
		{"[security]\nmax_failed_logins = 2", "3..100"},
		{"[security]\nmax_failed_logins = 101", "3..100"},
		{"[security]\npbkdf2_iterations = 99_999", "100000..10000000"},
		{"[security]\npbkdf2_iterations = 10_000_001", "100000..10000000"},
		{"[agent]\nthreads = 257", "0..256"},
		{"[agent]\nworkers = 0", "1..64"},
		{"[agent]\nworkers = 65", "1..64"},
		{"[agent]\nbusy_poll_us = 10001", "0..10000"},
		{"[security]\nallowed_uids = [-1]", "numeric ids"},
		{"[security]\nallowed_gids = [4294967295]", "numeric ids"},
	};

	EXPECT_REFUSALS(rows);
	EXPECT_TRUE(is_accepted("[token]\nslot_count = 256"));
	EXPECT_TRUE(is_accepted("[security]\npin_min_length = 4\npin_max_length = 255"));
	EXPECT_TRUE(is_accepted("[security]\nmax_failed_logins = 3"));
	EXPECT_TRUE(is_accepted("[security]\nmax_failed_logins = 100"));
	EXPECT_TRUE(is_accepted("[security]\npbkdf2_iterations = 100000"));
	EXPECT_TRUE(is_accepted("[security]\npbkdf2_iterations = 10000000"));
	EXPECT_TRUE(is_accepted("[agent]\nthreads = 256\nworkers = 64\nbusy_poll_us = 0"));
}

TEST(strings_are_checked)
{
	static const struct refusal rows[] = {
		{"[token]\nlabel = ''", ":2: [token].label has 0 bytes"},
		{"[token]\nlabel = '123456789012345678901234567890123'", "1..32"},
		{"[token]\nlabel = \"a\\nb\"", "control character"},
		{"[token]\nlabel = \"a\\u009bb\"", "control character"},
		{"[token]\nserial_number = '12345678901234567'", "0..16"},
		{"[token]\nserial_number = \"\\u00e9\"", "plain ASCII"},
		{"[audit]\nsync = 'sometimes'", ":2: [audit].sync = \"sometimes\" is unknown; use "
	                                        "\"always\", \"batch\" or \"none\""},
		{"[audit]\nlog_level = ''", "is unknown"},
		{"[security]\nlocked_memory = 'Auto'", "is unknown"},
	};

	EXPECT_REFUSALS(rows);
	EXPECT_TRUE(is_accepted("[token]\nlabel = '12345678901234567890123456789012'"));
	EXPECT_TRUE(is_accepted("[token]\nserial_number = '1234567890123456'"));
}

TEST(paths_and_addresses)
{
	static const struct refusal rows[] = {
		{"[token]\nstorage_path = 'store'", ":2: [token].storage_path must be an absolute"},
		{"[token]\nstorage_path = '/a/../b'", "'..'"},
		{"[token]\nstorage_path = '/a/..'", "'..'"},
		{"[token]\nstorage_path = '/./a'", "'.'"},
		{"[token]\nstorage_path = ''", "0 bytes"},
		{"[token]\nstorage_path = '/'", "1 bytes"},
		{"[daemon]\nbind = 'localhost:5696'", ":2: [daemon].bind must be a numeric"},
		{"[daemon]\nbind = '127.0.0.1'", "numeric"},
		{"[daemon]\nbind = '127.0.0.1:0'", "numeric"},
		{"[daemon]\nbind = '127.0.0.1:65536'", "numeric"},
		{"[daemon]\nbind = '127.0.0.1:+80'", "numeric"},
		{"[daemon]\nbind = '127.0.0.1:080'", "numeric"},
		{"[daemon]\nbind = '::1:5696'", "numeric"},
		{"[daemon]\nbind = '[::1]5696'", "numeric"},
		{"[daemon]\nbind = '[:5696'", "numeric"},
		{"[daemon]\nbind = '[]:5696'", "numeric"},
		{"[daemon]\nbind = '/run/x'", "numeric"},
		{"[daemon]\nbind = ''", "0 bytes"},
		{"[metrics]\nlisten = '0.0.0.0:9464'", "loopback"},
		{"[metrics]\nlisten = '[::]:9464'", "loopback"},
		{"[metrics]\nlisten = '/run/../x'", "'..'"},
	};

	EXPECT_REFUSALS(rows);
	EXPECT_TRUE(is_accepted("[token]\nstorage_path = '/a/..b/.c/...'"));
	EXPECT_TRUE(is_accepted("[metrics]\nlisten = '127.9.9.9:65535'"));
	EXPECT_TRUE(is_accepted("[metrics]\nlisten = '[::1]:1'"));
	EXPECT_TRUE(is_accepted("[metrics]\nlisten = ''"));
}

TEST(socket_path_fits_sun_path)
{
	char text[160] = "[agent]\nsocket = \"/";
	size_t start = strlen(text);

	memset(text + start, 's', 106);
	strcpy(text + start + 106, "\"");
	EXPECT_TRUE(is_accepted(text));
	strcpy(text + start + 106, "s\"");
	EXPECT_FALSE(is_accepted(text));
}

TEST(relations)
{
	static const struct refusal rows[] = {
		{"[token]\nmax_sessions = 5\nmax_rw_sessions = 6", ":3: [token].max_rw_sessions"},
		{"[token]\nmax_rw_sessions = 101", ":2: [token].max_rw_sessions = 101 is above"},
		{"[security]\npin_min_length = 65", ":2: [security].pin_min_length = 65 is above"},
		{"[security]\npin_max_length = 9\n\npin_min_length = 10", ":4: [security]"},
		{"[security]\npin_max_length = 7", ":2: [security].pin_min_length = 8 is above"},
	};
	struct config *config = parse("[token]\nmax_sessions = 5");

	EXPECT_REFUSALS(rows);
	ASSERT_TRUE(config != NULL);
	EXPECT_EQ(config->token.max_rw_sessions, 5);
	config_free(config);
	EXPECT_TRUE(is_accepted("[token]\nmax_sessions = 5\nmax_rw_sessions = 0"));
	EXPECT_TRUE(is_accepted("[token]\nmax_sessions = 0\nmax_rw_sessions = 500"));
	EXPECT_TRUE(is_accepted("[security]\npin_min_length = 64"));
}

TEST(ids_up_to_64)
{
	char text[1024] = "[security]\nallowed_uids = [";
	size_t start = strlen(text);

	for (size_t i = 0; i < 65; i++)
		memcpy(text + start + 2 * i, "7,", 3);
	strcpy(text + start + 128, "]");
	EXPECT_TRUE(is_accepted(text));
	strcpy(text + start + 128, "7]");
	EXPECT_FALSE(is_accepted(text));
}

TEST(peers)
{
	struct config *all = parse("");
	struct config *some = parse("[security]\nallowed_uids = [5]\nallowed_gids = [70, 80]");
	struct config *nobody = parse("[security]\nallowed_uids = []");
	static const gid_t gids[] = {1, 80};

	ASSERT_TRUE(all && some && nobody);
	EXPECT_TRUE(config_allows_peer(all, 9, NULL, 0));
	EXPECT_TRUE(config_allows_peer(some, 5, NULL, 0));
	EXPECT_TRUE(config_allows_peer(some, 9, gids, 2));
	EXPECT_FALSE(config_allows_peer(some, 9, gids, 1));
	EXPECT_FALSE(config_allows_peer(some, 0, NULL, 0));
	EXPECT_FALSE(config_allows_peer(nobody, 5, gids, 2));
	config_free(all);
	config_free(some);
	config_free(nobody);
}

TEST(addresses_resolve)
{
	struct sockaddr_storage address;
	socklen_t address_len;

	EXPECT_TRUE(config_resolve("127.0.0.1:5696", &address, &address_len));
	EXPECT_EQ(address.ss_family, AF_INET);
	EXPECT_TRUE(config_address_is_local(&address));
	EXPECT_TRUE(config_resolve("192.0.2.1:1", &address, &address_len));
	EXPECT_FALSE(config_address_is_local(&address));
	EXPECT_TRUE(config_resolve("[2001:db8::1]:443", &address, &address_len));
	EXPECT_EQ(address.ss_family, AF_INET6);
	EXPECT_FALSE(config_address_is_local(&address));
	EXPECT_TRUE(config_resolve("/run/x.sock", &address, &address_len));
	EXPECT_EQ(address.ss_family, AF_UNIX);
	EXPECT_TRUE(config_address_is_local(&address));
	EXPECT_FALSE(config_resolve("", &address, &address_len));
	EXPECT_FALSE(config_resolve(":", &address, &address_len));
	EXPECT_FALSE(config_resolve("[", &address, &address_len));
}

struct changes {
	char applied[256];
	char held[256];
};

static void note_change(void *context, const char *table, const char *key, bool applied)
{
	struct changes *changes = context;
	char *list = applied ? changes->applied : changes->held;
	size_t used = strlen(list);

	snprintf(list + used, sizeof(changes->held) - used, "%s.%s ", table, key);
}

TEST(reload)
{
	struct config *running = parse("[token]\nstorage_path = '/srv/old'\n");
	struct config *fresh = parse("[token]\nstorage_path = '/srv/new'\nmax_sessions = 7\n"
	                             "[audit]\nlog_level = 'auth'\nenabled = false\n"
	                             "[security]\nallowed_gids = [3]\n");
	struct changes changes = {"", ""};

	ASSERT_TRUE(running && fresh);
	EXPECT_EQ(config_inherit(fresh, running, note_change, &changes), 0);
	EXPECT_STREQ(changes.applied, "token.max_sessions token.max_rw_sessions "
	                              "security.allowed_gids audit.log_level ");
	EXPECT_STREQ(changes.held, "token.storage_path audit.enabled ");
	EXPECT_STREQ(fresh->token.storage_path, "/srv/old");
	EXPECT_EQ(fresh->token.max_sessions, 7);
	EXPECT_TRUE(fresh->audit.enabled);
	EXPECT_EQ(fresh->audit.log_level, CONFIG_AUDIT_AUTH);
	memset(&changes, 0, sizeof(changes));
	EXPECT_EQ(config_inherit(fresh, fresh, note_change, &changes), 0);
	EXPECT_STREQ(changes.applied, "");
	config_free(running);
	config_free(fresh);
}

/* ---- files ---- */

struct place {
	char folder[64];
	char file[96];
};

static void make_place(struct place *place, const char *text)
{
	FILE *stream;

	strcpy(place->folder, "/tmp/config_test.XXXXXX");
	ASSERT_TRUE(mkdtemp(place->folder) != NULL);
	snprintf(place->file, sizeof(place->file), "%s/craton_hsm.toml", place->folder);
	stream = fopen(place->file, "w");
	ASSERT_TRUE(stream != NULL);
	fputs(text, stream);
	fclose(stream);
	chmod(place->file, 0640);
}

static void drop_place(const struct place *place)
{
	unlink(place->file);
	rmdir(place->folder);
}

/* Refused, in one line that begins with the path and contains `says`. */
static void expect_load_refused(const char *path, const char *says)
{
	char error[CONFIG_ERROR_LEN] = "";
	struct config *config;

	EXPECT_EQ(config_load(&config, path, error, sizeof(error)), -1);
	EXPECT_TRUE(config == NULL);
	if (!strstr(error, says))
		fprintf(stderr, "# %s\n", error);
	EXPECT_TRUE(strncmp(error, path, strlen(path)) == 0);
	EXPECT_TRUE(strstr(error, says) != NULL);
	EXPECT_TRUE(strchr(error, '\n') == NULL);
}

TEST(file_is_loaded)
{
	char error[CONFIG_ERROR_LEN];
	struct config *config;
	struct place place;

	make_place(&place, "[token]\nslot_count = 4\n");
	EXPECT_EQ(config_load(&config, place.file, error, sizeof(error)), 0);
	ASSERT_TRUE(config != NULL);
	EXPECT_EQ(config->token.slot_count, 4);
	config_free(config);
	drop_place(&place);
}

TEST(file_with_bad_line)
{
	char wanted[160];
	struct place place;

	make_place(&place, "[token]\nslot_count = 400\n");
	snprintf(wanted, sizeof(wanted), "%s:2: [token].slot_count", place.file);
	expect_load_refused(place.file, wanted);
	drop_place(&place);
}

TEST(file_missing_or_not_a_file)
{
	struct place place;

	make_place(&place, "");
	expect_load_refused(place.folder, "not a regular file");
	unlink(place.file);
	expect_load_refused(place.file, "No such file or directory; create it");
	ASSERT_EQ(symlink("/dev/null", place.file), 0);
	expect_load_refused(place.file, "symbolic link");
	unlink(place.file);
	ASSERT_EQ(mkfifo(place.file, 0600), 0);
	expect_load_refused(place.file, "not a regular file");
	drop_place(&place);
	expect_load_refused("/dev/null", "not a regular file");
}

TEST(file_writable_by_others)
{
	struct place place;

	make_place(&place, "");
	chmod(place.file, 0660);
	expect_load_refused(place.file, "writable by its group (mode 0660)");
	chmod(place.file, 0606);
	expect_load_refused(place.file, "writable by everybody (mode 0606)");
	drop_place(&place);
}

TEST(file_of_another_user)
{
	struct place place;

	if (geteuid() != 0)
		SKIP("needs root");
	make_place(&place, "");
	ASSERT_EQ(chown(place.file, 4242, 4242), 0);
	expect_load_refused(place.file, "belongs to uid 4242");
	drop_place(&place);
}

TEST(file_too_large)
{
	struct place place;
	struct config *config;
	char error[CONFIG_ERROR_LEN];
	char *text = malloc(65538);

	memset(text, '\n', 65537);
	text[65537] = '\0';
	make_place(&place, text + 1);
	EXPECT_EQ(config_load(&config, place.file, error, sizeof(error)), 0);
	config_free(config);
	drop_place(&place);
	make_place(&place, text);
	expect_load_refused(place.file, "larger than 65536 bytes");
	drop_place(&place);
	free(text);
}

TEST(messages_are_cut_not_overrun)
{
	static const char text[] = "[token]\nslot_count = 0";
	struct config *config;
	char whole[CONFIG_ERROR_LEN];
	char error[CONFIG_ERROR_LEN];

	EXPECT_EQ(config_parse(&config, "a\nb", text, sizeof(text) - 1, whole, sizeof(whole)), -1);
	EXPECT_TRUE(strncmp(whole, "a?b:2: ", 7) == 0);
	EXPECT_EQ(config_parse(&config, "a", text, sizeof(text) - 1, NULL, 0), -1);
	for (size_t error_len = 1; error_len < strlen(whole); error_len++) {
		memset(error, 'x', sizeof(error));
		EXPECT_EQ(config_parse(&config, "a\nb", text, sizeof(text) - 1, error, error_len),
		          -1);
		EXPECT_EQ(strlen(error), error_len - 1);
		EXPECT_EQ(error[error_len], 'x');
	}
}

/* ---- texts ---- */

static char *printed(void (*print)(FILE *stream))
{
	char *text = NULL;
	size_t text_len;
	FILE *stream = open_memstream(&text, &text_len);

	print(stream);
	fclose(stream);
	return text;
}

/* Removes the '#' of "#key = value" lines, as the operator would. */
static void uncomment(char *text)
{
	char *to = text;

	for (const char *at = text; *at; at++)
		if (*at != '#' || at[1] == ' ')
			*to++ = *at;
	*to = '\0';
}

static void expect_client_refused(const char *text, const char *says)
{
	struct config *config;
	char error[CONFIG_ERROR_LEN] = "";

	EXPECT_EQ(config_parse(&config, "test.toml", text, strlen(text), error, sizeof(error)), -1);
	EXPECT_NOT_NULL(strstr(error, says));
	if (!strstr(error, says))
		printf("# %s\n", error);
}

TEST(client_rules)
{
	const char text[] = "[[daemon.clients]]\ncommon_name = \"a\"\nslots = [0, 3]\n"
			    "operations = [\"Sign\"]\n[[daemon.clients]]\nsan = \"b\"\n";
	char error[CONFIG_ERROR_LEN] = "";
	struct config *config;

	ASSERT_EQ(config_parse(&config, "test.toml", text, strlen(text), error, sizeof(error)), 0);
	ASSERT_EQ(config->client_count, 2u);
	EXPECT_STREQ(config->clients[0].common_name, "a");
	EXPECT_EQ(config->clients[0].slots.count, 2u);
	EXPECT_EQ(config->clients[0].slots.ids[1], 3u);
	EXPECT_STREQ(config->clients[0].operations[0], "Sign");
	EXPECT_NULL(config->clients[0].operations[1]);
	EXPECT_STREQ(config->clients[1].san, "b");
	EXPECT_NULL(config->clients[1].operations);
	EXPECT_EQ(config->clients[1].slots.restricted, 0u);
	config_free(config);
}

TEST(client_rules_that_are_refused)
{
	expect_client_refused("[[daemon.clients]]\nname = \"a\"", "unknown key 'name'");
	expect_client_refused("[[daemon.clients]]\nsan = 1", "must be a string");
	expect_client_refused("[[daemon.clients]]\nsan = \"\"", "1..255 bytes");
	expect_client_refused("[[daemon.clients]]\nfingerprint = \"12\"", "64 hex digits");
	expect_client_refused("[[daemon.clients]]\nslots = [256]", "slot ids");
	expect_client_refused("[[daemon.clients]]\nslots = 1", "wrong type");
	expect_client_refused("[[daemon.clients]]\noperations = [1]", "names of");
	expect_client_refused("[[daemon.others]]\na = 1", "[[daemon.others]]");
	expect_client_refused("[daemon]\nmax_message_size = 1000000\nmax_connection_memory = 65536",
	                      "is above max_connection_memory");
	expect_client_refused("[daemon]\ntls_key = \"server.key\"", "must be an absolute path");
	expect_client_refused("[daemon]\ntls_key = \"pkcs11:token=t?PIN-value=1234\"",
	                      "must not hold a PIN (pin-value); use pin-source=file:...");
}

TEST(example_is_the_defaults)
{
	char *text = printed(config_print_example);
	struct config *defaults = config_defaults();
	struct changes changes = {"", ""};
	struct config *example = parse(text);

	ASSERT_TRUE(example && defaults);
	EXPECT_EQ(config_inherit(example, defaults, note_change, &changes), 0);
	EXPECT_STREQ(changes.applied, "");
	config_free(example);
	uncomment(text);
	example = parse(text);
	ASSERT_TRUE(example != NULL);
	EXPECT_EQ(config_inherit(example, defaults, note_change, &changes), 0);
	EXPECT_STREQ(changes.applied, "security.allowed_uids security.allowed_gids ");
	EXPECT_STREQ(changes.held, "");
	config_free(example);
	config_free(defaults);
	free(text);
}

TEST(markdown_has_a_row_per_key)
{
	char *text = printed(config_print_markdown);

	EXPECT_TRUE(strstr(text, "## `[token]`") != NULL);
	EXPECT_TRUE(strstr(text, "| `slot_count` | 1..256 | `1` | restart |") != NULL);
	EXPECT_TRUE(strstr(text, "| `allowed_uids` | array of at most 64 ids | absent |") != NULL);
	EXPECT_TRUE(strstr(text, "\"auto\", \"kmod\", \"memfd\" or \"mlock\"") != NULL);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		size_t bars = 0;

		for (const char *at = line; *at; at++)
			bars += *at == '|';
		EXPECT_TRUE(line[0] != '|' || bars == 6);
	}
	free(text);
}

HARNESS_MAIN
