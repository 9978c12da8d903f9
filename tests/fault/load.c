/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load for sigkill_test.sh, and the judge of what is left of it.
 *
 *   load run JOURNAL PREFIX AGENT_PID MICROSECONDS   creates and destroys token objects; kills the
 * agent that long after its first success; ends at the first failed call load judge JOURNAL...
 * compares the token with the journals
 *
 * A journal has a line before each call (`c NAME`, `d NAME`) and one after its CKR_OK (`C NAME`, `D
 * NAME`). An object's value follows from its name.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/time.h>
#include <unistd.h>

#include "p11.h"

#define NAME_LEN  64
#define DATA_LEN  1500
#define KEY_LEN   32
#define NAMES_MAX 200000
#define OPEN_MAX  4000

static pid_t agent;

static void on_alarm(int number)
{
	(void)number;
	kill(agent, SIGKILL);
}

static void value_of(const char *name, uint8_t *value, size_t len)
{
	uint64_t state = 0xcbf29ce484222325u;

	for (const char *at = name; *at; at++)
		state = (state ^ (uint8_t)*at) * 0x100000001b3u;
	for (size_t i = 0; i < len; i++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		value[i] = (uint8_t)(state >> 56);
	}
}

static int is_key(const char *name)
{
	return strchr(name, 'k') != NULL;
}

static void note(int journal, char what, const char *name)
{
	char line[NAME_LEN + 4];
	int len = snprintf(line, sizeof(line), "%c %s\n", what, name);

	if (write(journal, line, (size_t)len) != len)
		exit(3);
}

static CK_RV create(CK_SESSION_HANDLE session, const char *name, CK_OBJECT_HANDLE *object)
{
	uint8_t value[DATA_LEN];
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	CK_OBJECT_CLASS class = is_key(name) ? CKO_SECRET_KEY : CKO_DATA;
	CK_KEY_TYPE type = CKK_AES;
	CK_ULONG value_len = is_key(name) ? KEY_LEN : DATA_LEN;
	CK_ATTRIBUTE template[] = {
		{CKA_CLASS, &class, sizeof(class)},
		{CKA_TOKEN, &yes, 1},
		{CKA_PRIVATE, &yes, 1},
		{CKA_LABEL, (void *)name, strlen(name)},
		{CKA_VALUE, value, value_len},
		{CKA_KEY_TYPE, &type, sizeof(type)},
		{CKA_SENSITIVE, &no, 1},
		{CKA_EXTRACTABLE, &yes, 1},
	};

	value_of(name, value, value_len);
	return p11->C_CreateObject(session, template, is_key(name) ? 8 : 5, object);
}

static int run(const char *path, const char *prefix, long microseconds)
{
	static CK_OBJECT_HANDLE objects[OPEN_MAX];
	static char names[OPEN_MAX][NAME_LEN];
	struct itimerval timer = {.it_value = {microseconds / 1000000, microseconds % 1000000}};
	CK_SESSION_HANDLE session = p11_start(getenv("USER_PIN"));
	int journal = open(path, O_WRONLY | O_APPEND | O_CREAT, 0600);
	size_t count = 0;

	signal(SIGALRM, on_alarm);
	srandom((unsigned int)microseconds);
	for (unsigned int i = 0; count < OPEN_MAX; i++) {
		snprintf(names[count], NAME_LEN, "%s-%u%s", prefix, i, i % 3 ? "" : "k");
		note(journal, 'c', names[count]);
		if (create(session, names[count], &objects[count]))
			return 0;
		note(journal, 'C', names[count]);
		count++;
		if (i == 0 && agent)
			setitimer(ITIMER_REAL, &timer, NULL);
		if (random() % 4) {
			size_t victim = (size_t)random() % count;

			note(journal, 'd', names[victim]);
			if (p11->C_DestroyObject(session, objects[victim]))
				return 0;
			note(journal, 'D', names[victim]);
			count--;
			objects[victim] = objects[count];
			memmove(names[victim], names[count], NAME_LEN);
		}
	}
	fprintf(stderr, "the agent was not killed\n");
	return 4;
}

/* ---- the judge ---- */

struct fate {
	char name[NAME_LEN];
	char last;
	int seen;
};

static struct fate fates[NAMES_MAX];
static size_t fate_count;
static int complaints;

static int by_name(const void *one, const void *other)
{
	return strcmp(((const struct fate *)one)->name, ((const struct fate *)other)->name);
}

/* Lines of one name come in order, and names differ between journals; a stable fold keeps the last.
 */
static void read_journal(const char *path)
{
	FILE *file = fopen(path, "r");
	char what, name[NAME_LEN];

	if (!file)
		exit(3);
	while (fscanf(file, " %c %63s", &what, name) == 2) {
		size_t at = fate_count;

		while (at > 0 && strcmp(fates[at - 1].name, name) && what != 'c')
			at--;
		if (what == 'c' || at == 0) {
			if (fate_count == NAMES_MAX)
				exit(3);
			at = ++fate_count;
			snprintf(fates[at - 1].name, NAME_LEN, "%s", name);
		}
		fates[at - 1].last = what;
	}
	fclose(file);
}

static void complain(const char *name, const char *what)
{
	printf("%s: %s\n", name, what);
	complaints++;
}

static void look_at(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object)
{
	char name[NAME_LEN] = "";
	uint8_t value[DATA_LEN], expected[DATA_LEN];
	CK_OBJECT_CLASS class = 0;
	CK_ATTRIBUTE template[] = {{CKA_LABEL, name, NAME_LEN - 1},
	                           {CKA_VALUE, value, sizeof(value)},
	                           {CKA_CLASS, &class, sizeof(class)}};
	struct fate key, *fate;
	CK_ULONG len;
	CK_RV rv = p11->C_GetAttributeValue(session, object, template, 3);

	if (rv) {
		printf("an object is half visible: C_GetAttributeValue 0x%lx\n", rv);
		complaints++;
		return;
	}
	snprintf(key.name, NAME_LEN, "%s", name);
	fate = bsearch(&key, fates, fate_count, sizeof(*fates), by_name);
	if (!fate) {
		complain(name, "nobody made it");
		return;
	}
	if (fate->seen++)
		complain(name, "is there twice");
	if (fate->last == 'D')
		complain(name, "its destruction was confirmed and it is there");
	len = is_key(name) ? KEY_LEN : DATA_LEN;
	value_of(name, expected, len);
	if (template[1].ulValueLen != len || memcmp(value, expected, len) ||
	    class != (is_key(name) ? CKO_SECRET_KEY : CKO_DATA))
		complain(name, "has a wrong value");
}

static int judge(void)
{
	CK_SESSION_HANDLE session = p11_start(getenv("USER_PIN"));
	static CK_OBJECT_HANDLE objects[NAMES_MAX];
	CK_BBOOL yes = CK_TRUE; /* unlike the token's own profiles */
	CK_ATTRIBUTE wanted = {CKA_MODIFIABLE, &yes, sizeof(yes)};
	CK_ULONG count = 0, found = 0;

	qsort(fates, fate_count, sizeof(*fates), by_name);
	need("C_FindObjectsInit", p11->C_FindObjectsInit(session, &wanted, 1));
	do {
		need("C_FindObjects",
		     p11->C_FindObjects(session, objects + count, NAMES_MAX - count, &found));
		count += found;
	} while (found);
	need("C_FindObjectsFinal", p11->C_FindObjectsFinal(session));
	for (CK_ULONG i = 0; i < count; i++)
		look_at(session, objects[i]);
	for (size_t i = 0; i < fate_count; i++) {
		if (fates[i].last == 'C' && !fates[i].seen)
			complain(fates[i].name, "its creation was confirmed and it is gone");
	}
	printf("%zu names, %lu objects\n", fate_count, count);
	return complaints != 0;
}

int main(int argc, char **argv)
{
	if (argc == 6 && !strcmp(argv[1], "run")) {
		agent = (pid_t)atol(argv[4]);
		return run(argv[2], argv[3], atol(argv[5]));
	}
	for (int i = 2; i < argc; i++)
		read_journal(argv[i]);
	return judge();
}
