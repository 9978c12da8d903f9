/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoding and naming events, by two tables: what each event is called and must carry, and what
 * each attribute is called and means. Only the kernel may have sent what comes here (event_source.c
 * sees to that), but nothing in it is believed.
 */
#include "event.h"

#include <limits.h>
#include <netlink/attr.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/genetlink.h>

#define BIT(attribute) (1u << CRATON_HSM_ATTR_##attribute)

static const struct {
	const char *operation;
	uint32_t required; /* attributes without which it means nothing */
} types[EVENT_TYPES] = {
	[EVENT_SLOT_CREATED] = {"kernel_slot_created",
                                BIT(SLOT) | BIT(PURPOSE) | BIT(FLAGS) | BIT(UID) | BIT(PID)},
	[EVENT_SLOT_DESTROYED] = {"kernel_slot_destroyed", BIT(SLOT) | BIT(UID) | BIT(REASON)},
	[EVENT_ACCESS_DENIED] = {"kernel_access_denied", BIT(CALL) | BIT(UID) | BIT(PID)},
	[EVENT_VM_GENERATION] = {"vm_generation_changed", BIT(GENERATION)},
	[EVENT_HIBERNATION_REFUSED] = {"kernel_hibernation_refused", BIT(COUNT)},
	[EVENT_WIPED] = {"kernel_slots_wiped", BIT(COUNT) | BIT(REASON)},
	[EVENT_UNKNOWN] = {"kernel_event_unknown", 0},
	[EVENT_MALFORMED] = {"kernel_event_malformed", 0},
	[EVENT_LOST] = {"kernel_events_lost", 0},
	[EVENT_MODULE_FOUND] = {"kernel_module_found", 0},
	[EVENT_MODULE_GONE] = {"kernel_module_gone", 0},
};

static const enum event_type commands[] = {
	[CRATON_HSM_EVENT_SLOT_CREATED] = EVENT_SLOT_CREATED,
	[CRATON_HSM_EVENT_SLOT_DESTROYED] = EVENT_SLOT_DESTROYED,
	[CRATON_HSM_EVENT_ACCESS_DENIED] = EVENT_ACCESS_DENIED,
	[CRATON_HSM_EVENT_VM_GENERATION] = EVENT_VM_GENERATION,
	[CRATON_HSM_EVENT_HIBERNATION_REFUSED] = EVENT_HIBERNATION_REFUSED,
	[CRATON_HSM_EVENT_WIPED] = EVENT_WIPED,
};

static const char *const purposes[] = {
	[CRATON_HSM_GENERIC] = "generic",
	[CRATON_HSM_KEY_ENCRYPTION] = "key-encryption",
	[CRATON_HSM_VOLUME] = "volume",
};

static const char *const reasons[] = {
	[CRATON_HSM_REASON_REQUEST] = "request", [CRATON_HSM_REASON_CLOSED] = "closed",
	[CRATON_HSM_REASON_KEY] = "key",         [CRATON_HSM_REASON_TIMEOUT] = "timeout",
	[CRATON_HSM_REASON_POWER] = "power",
};

static const char *const calls[] = {
	[_IOC_NR(CRATON_HSM_INFO)] = "info",
	[_IOC_NR(CRATON_HSM_SLOT_CREATE)] = "slot-create",
	[_IOC_NR(CRATON_HSM_SLOT_READ)] = "slot-read",
	[_IOC_NR(CRATON_HSM_SLOT_DESTROY)] = "slot-destroy",
	[_IOC_NR(CRATON_HSM_SLOT_DESCRIBE)] = "slot-describe",
	[_IOC_NR(CRATON_HSM_SLOT_LIST)] = "slot-list",
	[_IOC_NR(CRATON_HSM_WRAP)] = "wrap",
	[_IOC_NR(CRATON_HSM_UNWRAP)] = "unwrap",
	[_IOC_NR(CRATON_HSM_LOGON)] = "logon",
	[_IOC_NR(CRATON_HSM_ANCHOR_EXTEND)] = "anchor-extend",
	[_IOC_NR(CRATON_HSM_ANCHOR_READ)] = "anchor-read",
	[0xff] = "mmap",
};

/* In the order of their bits. */
static const char *const flags[] = {"sealed", "persistent"};

enum kind { NUMBER, WIDE_NUMBER, WORD, FLAGS };

static const struct {
	const char *name;
	enum kind kind;
	const char *const *words;
	size_t word_count;
} attributes[EVENT_ATTRIBUTE_MAX + 1] = {
#define WORDS(list) (list), sizeof(list) / sizeof((list)[0])
	[CRATON_HSM_ATTR_TIME] = {"boottime_ns", WIDE_NUMBER, NULL, 0},
	[CRATON_HSM_ATTR_SLOT] = {"slot", NUMBER, NULL, 0},
	[CRATON_HSM_ATTR_PURPOSE] = {"purpose", WORD, WORDS(purposes)},
	[CRATON_HSM_ATTR_FLAGS] = {"flags", FLAGS, WORDS(flags)},
	[CRATON_HSM_ATTR_UID] = {"uid", NUMBER, NULL, 0},
	[CRATON_HSM_ATTR_PID] = {"pid", NUMBER, NULL, 0},
	[CRATON_HSM_ATTR_REASON] = {"reason", WORD, WORDS(reasons)},
	[CRATON_HSM_ATTR_CALL] = {"call", WORD, WORDS(calls)},
	[CRATON_HSM_ATTR_GENERATION] = {"generation", WIDE_NUMBER, NULL, 0},
	[CRATON_HSM_ATTR_COUNT] = {"count", NUMBER, NULL, 0},
#undef WORDS
};

/* ---- decoding ---- */

/* The lengths are exact: a number of another width is another number. */
#define U32                                                                                        \
	{                                                                                          \
		.type = NLA_U32, .minlen = 4, .maxlen = 4                                          \
	}
#define U64                                                                                        \
	{                                                                                          \
		.type = NLA_U64, .minlen = 8, .maxlen = 8                                          \
	}

static const struct nla_policy event_policy[EVENT_ATTRIBUTE_MAX + 1] = {
	[CRATON_HSM_ATTR_TIME] = U64,       [CRATON_HSM_ATTR_SLOT] = U32,
	[CRATON_HSM_ATTR_PURPOSE] = U32,    [CRATON_HSM_ATTR_FLAGS] = U32,
	[CRATON_HSM_ATTR_UID] = U32,        [CRATON_HSM_ATTR_PID] = U32,
	[CRATON_HSM_ATTR_REASON] = U32,     [CRATON_HSM_ATTR_CALL] = U32,
	[CRATON_HSM_ATTR_GENERATION] = U64, [CRATON_HSM_ATTR_COUNT] = U32,
};

/* The generic header of a whole message, or NULL. */
static struct genlmsghdr *header_of(struct nlmsghdr *message, size_t len)
{
	if (len > INT_MAX || !nlmsg_ok(message, (int)len) || !genlmsg_valid_hdr(message, 0))
		return NULL;
	return nlmsg_data(message);
}

static void take_numbers(struct nlattr *const *found, struct event *event)
{
	for (unsigned int i = 0; i <= EVENT_ATTRIBUTE_MAX; i++) {
		if (!found[i] || !attributes[i].name)
			continue;
		event->present |= 1u << i;
		event->values[i] = attributes[i].kind == WIDE_NUMBER ? nla_get_u64(found[i])
		                                                     : nla_get_u32(found[i]);
	}
}

static enum event_type type_of(uint8_t command)
{
	if (command < CRATON_HSM_EVENT_SLOT_CREATED ||
	    command >= sizeof(commands) / sizeof(commands[0]))
		return EVENT_UNKNOWN;
	return commands[command];
}

void event_decode(const void *octets, size_t len, struct event *event)
{
	struct nlmsghdr *message = (struct nlmsghdr *)(uintptr_t)octets;
	struct nlattr *found[EVENT_ATTRIBUTE_MAX + 1];
	struct genlmsghdr *header = header_of(message, len);

	*event = (struct event){.type = EVENT_MALFORMED};
	if (!header)
		return;
	event->command = header->cmd;
	if (genlmsg_parse(message, 0, found, EVENT_ATTRIBUTE_MAX, event_policy) < 0)
		return;
	take_numbers(found, event);
	event->type = type_of(header->cmd);
	if (types[event->type].required & ~event->present)
		event->type = EVENT_MALFORMED;
}

/* The id of our group among nested ones, or 0. */
static uint32_t find_group(struct nlattr *groups)
{
	static const struct nla_policy policy[CTRL_ATTR_MCAST_GRP_MAX + 1] = {
		[CTRL_ATTR_MCAST_GRP_NAME] = {.type = NLA_STRING, .maxlen = GENL_NAMSIZ},
		[CTRL_ATTR_MCAST_GRP_ID] = U32,
	};
	struct nlattr *found[CTRL_ATTR_MCAST_GRP_MAX + 1], *each;
	int left;

	nla_for_each_nested(each, groups, left)
	{
		if (nla_parse_nested(found, CTRL_ATTR_MCAST_GRP_MAX, each, policy) < 0)
			return 0;
		if (found[CTRL_ATTR_MCAST_GRP_NAME] && found[CTRL_ATTR_MCAST_GRP_ID] &&
		    !nla_strcmp(found[CTRL_ATTR_MCAST_GRP_NAME], CRATON_HSM_GENL_GROUP))
			return nla_get_u32(found[CTRL_ATTR_MCAST_GRP_ID]);
	}
	return 0;
}

bool event_decode_family(const void *octets, size_t len, struct event_family *family)
{
	static const struct nla_policy policy[CTRL_ATTR_MAX + 1] = {
		[CTRL_ATTR_FAMILY_ID] = {.type = NLA_U16, .minlen = 2, .maxlen = 2},
		[CTRL_ATTR_FAMILY_NAME] = {.type = NLA_STRING, .maxlen = GENL_NAMSIZ},
		[CTRL_ATTR_MCAST_GROUPS] = {.type = NLA_NESTED},
	};
	struct nlmsghdr *message = (struct nlmsghdr *)(uintptr_t)octets;
	struct nlattr *found[CTRL_ATTR_MAX + 1];
	struct genlmsghdr *header = header_of(message, len);

	*family = (struct event_family){0};
	if (!header || genlmsg_parse(message, 0, found, CTRL_ATTR_MAX, policy) < 0)
		return false;
	if (!found[CTRL_ATTR_FAMILY_NAME] || !found[CTRL_ATTR_FAMILY_ID] ||
	    nla_strcmp(found[CTRL_ATTR_FAMILY_NAME], CRATON_HSM_GENL_NAME))
		return false;
	family->id = nla_get_u16(found[CTRL_ATTR_FAMILY_ID]);
	family->gone = header->cmd == CTRL_CMD_DELFAMILY;
	if (header->cmd == CTRL_CMD_NEWFAMILY && found[CTRL_ATTR_MCAST_GROUPS])
		family->group = find_group(found[CTRL_ATTR_MCAST_GROUPS]);
	return family->gone || family->group;
}

/* What the vmgenid driver of some vendors' kernels adds to its device's uevent. */
static const char *generation_mark(void)
{
#ifdef CRATON_TEST_HOOKS
	/* Root cannot make the kernel say the real words, but SYNTH_ARG_ and words of its own. */
	const char *other = getenv("CRATON_TEST_UEVENT");

	if (other)
		return other;
#endif
	return "NEW_VMGENID=1";
}

bool event_decode_uevent(const void *octets, size_t len, struct event *event)
{
	const char *at = octets, *end = at + len, *mark = generation_mark();
	size_t mark_len = strlen(mark), word_len;

	*event = (struct event){.type = EVENT_VM_GENERATION, .source = EVENT_FROM_UEVENT};
	for (; at < end; at += word_len + 1) {
		word_len = strnlen(at, (size_t)(end - at));
		if (word_len == mark_len && !memcmp(at, mark, mark_len))
			return true;
	}
	return false;
}

/* PRIORITY,SEQUENCE,TIME,FLAGS;TEXT and a newline; more lines may follow. */
bool event_decode_log(const void *octets, size_t len, struct event *event)
{
	/* drivers/char/random.c says so since Linux 5.18. */
	static const char text[] = "random: crng reseeded due to virtual machine fork\n";
	const char *record = octets;
	const char *comma = memchr(record, ',', len), *semicolon = memchr(record, ';', len);

	*event = (struct event){.type = EVENT_VM_GENERATION, .source = EVENT_FROM_LOG};
	/* One digit is a priority of the kernel itself: what programs write to the log has a
	 * facility, and so a priority of 8 and more. */
	if (!semicolon || comma != record + 1 || *record < '0' || *record > '7')
		return false;
	len -= (size_t)(semicolon + 1 - record);
	return len >= sizeof(text) - 1 && !memcmp(semicolon + 1, text, sizeof(text) - 1);
}

/* ---- naming ---- */

const char *event_operation(enum event_type type)
{
	return types[type].operation;
}

bool event_wants_reseed(const struct event *event)
{
	switch (event->type) {
	case EVENT_VM_GENERATION:
	case EVENT_LOST:         /* it may have been among them, */
	case EVENT_MALFORMED:    /* or this one, */
	case EVENT_MODULE_FOUND: /* or before we listened */
		return true;
	default:
		return false;
	}
}

/* What `number` means: one of the attribute's words, or those whose bits are set. */
static void put_word(unsigned int attribute, uint64_t number, char *word, size_t word_len)
{
	bool is_flags = attributes[attribute].kind == FLAGS;
	size_t len = 0;

	word[0] = '\0';
	for (size_t i = 0; i < attributes[attribute].word_count; i++) {
		if (attributes[attribute].words[i] && (is_flags ? number >> i & 1 : number == i))
			len += (size_t)snprintf(word + len, word_len - len, "%s%s", len ? "," : "",
			                        attributes[attribute].words[i]);
	}
}

bool event_field(const struct event *event, unsigned int attribute, struct event_field *field)
{
	if (attribute > EVENT_ATTRIBUTE_MAX || !(event->present & 1u << attribute))
		return false;
	field->name = attributes[attribute].name;
	field->number = event->values[attribute];
	put_word(attribute, field->number, field->word, sizeof(field->word));
	return true;
}

const char *event_source_text(const struct event *event)
{
	static const char *const names[] = {
		[EVENT_FROM_MODULE] = "module",
		[EVENT_FROM_UEVENT] = "uevent",
		[EVENT_FROM_LOG] = "kernel-log",
	};

	return names[event->source];
}

/* Twelve names and values of at most 31 octets each. */
_Static_assert(EVENT_TEXT_LEN > (EVENT_ATTRIBUTE_MAX + 1) * 40, "every event fits its text");

void event_text(const struct event *event, char *text)
{
	struct event_field field;
	size_t len;

	len = (size_t)snprintf(text, EVENT_TEXT_LEN, "source=%s", event_source_text(event));
	if (event->type == EVENT_UNKNOWN)
		len += (size_t)snprintf(text + len, EVENT_TEXT_LEN - len, " event=%u",
		                        event->command);
	for (unsigned int i = 0; i <= EVENT_ATTRIBUTE_MAX; i++) {
		if (!event_field(event, i, &field))
			continue;
		if (*field.word)
			len += (size_t)snprintf(text + len, EVENT_TEXT_LEN - len, " %s=%s",
			                        field.name, field.word);
		else
			len += (size_t)snprintf(text + len, EVENT_TEXT_LEN - len, " %s=%llu",
			                        field.name, (unsigned long long)field.number);
	}
}
