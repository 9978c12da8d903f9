/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoding of what the kernel tells: every event as the manual (craton_hsm.h) describes it, and the
 * same cut, lengthened, mistyped and unknown. Messages are made by hand, and decoded in memory that
 * ends where they end.
 */
#include <linux/genetlink.h>
#include <linux/netlink.h>

#include "event.h"
#include "harness.h"

#define MESSAGE_LEN 1024u

struct message {
	uint8_t octets[MESSAGE_LEN];
	uint32_t len;
};

static void put(struct message *message, const void *octets, size_t len)
{
	ASSERT_LE(message->len + len + 3, MESSAGE_LEN);
	memcpy(message->octets + message->len, octets, len);
	message->len += (uint32_t)(len + 3) & ~3u;
}

static struct message begin(uint8_t command)
{
	const struct nlmsghdr header = {.nlmsg_type = 40};
	const struct genlmsghdr generic = {.cmd = command, .version = 1};
	struct message message = {.len = 0};

	put(&message, &header, sizeof(header));
	put(&message, &generic, sizeof(generic));
	return message;
}

static void put_attribute(struct message *message, uint16_t type, const void *value, size_t len)
{
	const struct nlattr header = {.nla_type = type,
	                              .nla_len = (uint16_t)(sizeof(header) + len)};

	put(message, &header, sizeof(header));
	put(message, value, len);
}

/* Begins an attribute that holds others; its place is the result. */
static uint32_t open_nest(struct message *message, uint16_t type)
{
	uint32_t place = message->len;

	put_attribute(message, type, "", 0);
	return place;
}

static void close_nest(struct message *message, uint32_t place)
{
	uint16_t len = (uint16_t)(message->len - place);

	memcpy(message->octets + place, &len, sizeof(len));
}

static void finish(struct message *message)
{
	memcpy(message->octets, &message->len, sizeof(message->len));
}

static void put_u32(struct message *message, uint16_t type, uint32_t value)
{
	put_attribute(message, type, &value, sizeof(value));
}

static void put_u64(struct message *message, uint16_t type, uint64_t value)
{
	put_attribute(message, type, &value, sizeof(value));
}

/* The first `len` octets, in memory that ends there. */
static struct event decode_part(const struct message *message, size_t len)
{
	uint8_t *octets = malloc(len ? len : 1);
	struct event event;

	ASSERT_NOT_NULL(octets);
	memcpy(octets, message->octets, len);
	event_decode(octets, len, &event);
	free(octets);
	return event;
}

static struct event decode(struct message *message)
{
	finish(message);
	return decode_part(message, message->len);
}

static bool decode_family(const struct message *message, size_t len, struct event_family *family)
{
	uint8_t *octets = malloc(len ? len : 1);
	bool ours;

	ASSERT_NOT_NULL(octets);
	memcpy(octets, message->octets, len);
	ours = event_decode_family(octets, len, family);
	free(octets);
	return ours;
}

/* Each event of the manual with its attributes, and what becomes of it. */
static const struct sample {
	uint8_t command;
	uint16_t attributes[6];
	uint64_t values[6];
	enum event_type type;
	const char *operation, *text;
	bool reseeds;
} samples[] = {
	{CRATON_HSM_EVENT_SLOT_CREATED,
         {CRATON_HSM_ATTR_SLOT, CRATON_HSM_ATTR_PURPOSE, CRATON_HSM_ATTR_FLAGS, CRATON_HSM_ATTR_UID,
          CRATON_HSM_ATTR_PID},
         {7, CRATON_HSM_VOLUME, CRATON_HSM_SEALED | CRATON_HSM_PERSISTENT, 900, 4242},
         EVENT_SLOT_CREATED,
         "kernel_slot_created",
         "source=module boottime_ns=5 slot=7 purpose=volume flags=sealed,persistent uid=900 "
         "pid=4242",
         false},
	{CRATON_HSM_EVENT_SLOT_DESTROYED,
         {CRATON_HSM_ATTR_SLOT, CRATON_HSM_ATTR_UID, CRATON_HSM_ATTR_REASON},
         {7, 900, CRATON_HSM_REASON_TIMEOUT},
         EVENT_SLOT_DESTROYED,
         "kernel_slot_destroyed",
         "source=module boottime_ns=5 slot=7 uid=900 reason=timeout",
         false},
	{CRATON_HSM_EVENT_ACCESS_DENIED,
         {CRATON_HSM_ATTR_CALL, CRATON_HSM_ATTR_UID, CRATON_HSM_ATTR_PID},
         {0xff, 1000, 77},
         EVENT_ACCESS_DENIED,
         "kernel_access_denied",
         "source=module boottime_ns=5 uid=1000 pid=77 call=mmap",
         false},
	{CRATON_HSM_EVENT_VM_GENERATION,
         {CRATON_HSM_ATTR_GENERATION},
         {0x100000002},
         EVENT_VM_GENERATION,
         "vm_generation_changed",
         "source=module boottime_ns=5 generation=4294967298",
         true},
	{CRATON_HSM_EVENT_HIBERNATION_REFUSED,
         {CRATON_HSM_ATTR_COUNT},
         {3},
         EVENT_HIBERNATION_REFUSED,
         "kernel_hibernation_refused",
         "source=module boottime_ns=5 count=3",
         false},
	{CRATON_HSM_EVENT_WIPED,
         {CRATON_HSM_ATTR_COUNT, CRATON_HSM_ATTR_REASON},
         {3, CRATON_HSM_REASON_POWER},
         EVENT_WIPED,
         "kernel_slots_wiped",
         "source=module boottime_ns=5 reason=power count=3",
         false},
};

#define SAMPLE_COUNT (sizeof(samples) / sizeof(samples[0]))

/* The sample, without the attribute at `without` (none when it is past the end). */
static struct message build(const struct sample *sample, size_t without)
{
	struct message message = begin(sample->command);

	put_u64(&message, CRATON_HSM_ATTR_TIME, 5);
	for (size_t i = 0; i < 6 && sample->attributes[i]; i++) {
		if (i == without)
			continue;
		if (sample->attributes[i] == CRATON_HSM_ATTR_GENERATION)
			put_u64(&message, sample->attributes[i], sample->values[i]);
		else
			put_u32(&message, sample->attributes[i], (uint32_t)sample->values[i]);
	}
	finish(&message);
	return message;
}

TEST(every_event)
{
	for (size_t i = 0; i < SAMPLE_COUNT; i++) {
		struct message message = build(&samples[i], SIZE_MAX);
		struct event event = decode(&message);
		char text[EVENT_TEXT_LEN];

		EXPECT_EQ(event.type, samples[i].type);
		EXPECT_STREQ(event_operation(event.type), samples[i].operation);
		event_text(&event, text);
		EXPECT_STREQ(text, samples[i].text);
		EXPECT_EQ(event_wants_reseed(&event), samples[i].reseeds);
	}
}

TEST(each_attribute_is_needed)
{
	for (size_t i = 0; i < SAMPLE_COUNT; i++) {
		for (size_t without = 0; samples[i].attributes[without]; without++) {
			struct message message = build(&samples[i], without);
			struct event event = decode(&message);

			EXPECT_EQ(event.type, EVENT_MALFORMED);
			EXPECT_TRUE(event_wants_reseed(&event));
		}
	}
}

TEST(cut_anywhere)
{
	for (size_t i = 0; i < SAMPLE_COUNT; i++) {
		struct message message = build(&samples[i], SIZE_MAX);

		for (uint32_t len = 0; len < message.len; len++) {
			struct message cut = message;

			/* The header promises more than there is; then it promises no more. */
			EXPECT_EQ(decode_part(&message, len).type, EVENT_MALFORMED);
			cut.len = len;
			if (len >= sizeof(struct nlmsghdr))
				EXPECT_EQ(decode(&cut).type, EVENT_MALFORMED);
		}
	}
}

TEST(numbers_of_another_width)
{
	for (size_t i = 0; i < SAMPLE_COUNT; i++) {
		for (size_t at = 0; samples[i].attributes[at]; at++) {
			for (size_t len = 0; len <= 9; len++) {
				struct message message = build(&samples[i], at);
				bool wide = samples[i].attributes[at] == CRATON_HSM_ATTR_GENERATION;

				put_attribute(&message, samples[i].attributes[at],
				              "\1\0\0\0\0\0\0\0\0", len);
				EXPECT_EQ(decode(&message).type, len == (wide ? 8 : 4)
				                                         ? samples[i].type
				                                         : EVENT_MALFORMED);
			}
		}
	}
}

TEST(lengths_that_lie)
{
	static const uint16_t lengths[] = {0, 1, 3, 5, 9, 0x7fff, 0xffff};
	const size_t attribute = sizeof(struct nlmsghdr) + sizeof(struct genlmsghdr);

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct message message = build(&samples[0], SIZE_MAX);

		/* What comes after it is lost with it. */
		memcpy(message.octets + attribute, &lengths[i], sizeof(lengths[i]));
		EXPECT_EQ(decode(&message).type, EVENT_MALFORMED);
	}
}

TEST(events_of_a_newer_module)
{
	static const uint8_t numbers[] = {0, CRATON_HSM_EVENT_WIPED + 1, 200, 255};
	char text[EVENT_TEXT_LEN];

	for (size_t i = 0; i < sizeof(numbers); i++) {
		struct message message = begin(numbers[i]);
		struct event event;

		put_u32(&message, CRATON_HSM_ATTR_SLOT, 9);
		event = decode(&message);
		EXPECT_EQ(event.type, EVENT_UNKNOWN);
		EXPECT_FALSE(event_wants_reseed(&event));
		EXPECT_EQ(event.command, numbers[i]);
		event_text(&event, text);
		EXPECT_NOT_NULL(strstr(text, "slot=9"));
	}
	EXPECT_NOT_NULL(strstr(text, "event=255 "));
}

TEST(attributes_of_a_newer_module)
{
	struct message message = build(&samples[4], SIZE_MAX);
	struct event event;

	put_u32(&message, EVENT_ATTRIBUTE_MAX + 1, 1);
	put_attribute(&message, 0x3fff, "text", 5);
	event = decode(&message);
	EXPECT_EQ(event.type, EVENT_HIBERNATION_REFUSED);
	EXPECT_EQ(event.values[CRATON_HSM_ATTR_COUNT], 3);
}

/* Words that we do not know yet are shown as numbers. */
TEST(values_of_a_newer_module)
{
	struct message message = begin(CRATON_HSM_EVENT_SLOT_DESTROYED);
	struct event_field field;
	struct event event;

	put_u32(&message, CRATON_HSM_ATTR_SLOT, UINT32_MAX);
	put_u32(&message, CRATON_HSM_ATTR_UID, 0);
	put_u32(&message, CRATON_HSM_ATTR_REASON, 4000000000u);
	event = decode(&message);
	EXPECT_EQ(event.type, EVENT_SLOT_DESTROYED);
	ASSERT_TRUE(event_field(&event, CRATON_HSM_ATTR_REASON, &field));
	EXPECT_STREQ(field.word, "");
	EXPECT_EQ(field.number, 4000000000u);
	EXPECT_FALSE(event_field(&event, CRATON_HSM_ATTR_PURPOSE, &field));
	EXPECT_FALSE(event_field(&event, EVENT_ATTRIBUTE_MAX + 1, &field));
	EXPECT_FALSE(event_field(&event, 31, &field));
}

TEST(the_longest_text_fits)
{
	struct event event = {.type = EVENT_UNKNOWN, .command = UINT32_MAX};
	char text[EVENT_TEXT_LEN];

	for (unsigned int i = CRATON_HSM_ATTR_TIME; i <= EVENT_ATTRIBUTE_MAX; i++) {
		event.present |= 1u << i;
		event.values[i] = UINT64_MAX;
	}
	event_text(&event, text);
	EXPECT_NOT_NULL(strstr(text, " count=18446744073709551615"));
}

/* ---- families ---- */

static struct message announce(uint8_t command, const char *name, const char *group)
{
	struct message message = begin(command);
	uint16_t id = 33;
	uint32_t outer, inner;

	put_attribute(&message, CTRL_ATTR_FAMILY_NAME, name, strlen(name) + 1);
	put_attribute(&message, CTRL_ATTR_FAMILY_ID, &id, sizeof(id));
	outer = open_nest(&message, CTRL_ATTR_MCAST_GROUPS);
	inner = open_nest(&message, 1);
	put_u32(&message, CTRL_ATTR_MCAST_GRP_ID, 55);
	put_attribute(&message, CTRL_ATTR_MCAST_GRP_NAME, group, strlen(group) + 1);
	close_nest(&message, inner);
	close_nest(&message, outer);
	finish(&message);
	return message;
}

TEST(our_family_comes_and_goes)
{
	struct message message = announce(CTRL_CMD_NEWFAMILY, "craton_hsm", "events");
	struct event_family family;

	ASSERT_TRUE(decode_family(&message, message.len, &family));
	EXPECT_FALSE(family.gone);
	EXPECT_EQ(family.id, 33);
	EXPECT_EQ(family.group, 55);
	message = announce(CTRL_CMD_DELFAMILY, "craton_hsm", "events");
	ASSERT_TRUE(decode_family(&message, message.len, &family));
	EXPECT_TRUE(family.gone);
}

TEST(other_families_are_not_ours)
{
	static const struct {
		uint8_t command;
		const char *name, *group;
	} others[] = {
		{CTRL_CMD_NEWFAMILY, "taskstats", "events"},
		{CTRL_CMD_NEWFAMILY, "craton_hsm2", "events"},
		{CTRL_CMD_NEWFAMILY, "craton_hs", "events"},
		{CTRL_CMD_NEWFAMILY, "", "events"},
		{CTRL_CMD_NEWFAMILY, "craton_hsm", "event"},
		{CTRL_CMD_NEWFAMILY, "craton_hsm", ""},
		{CTRL_CMD_NEWMCAST_GRP, "craton_hsm", "events"},
		{CTRL_CMD_DELFAMILY, "taskstats", "events"},
	};
	struct event_family family;

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct message message =
			announce(others[i].command, others[i].name, others[i].group);

		EXPECT_FALSE(decode_family(&message, message.len, &family));
	}
}

TEST(an_announcement_cut_anywhere)
{
	struct message message = announce(CTRL_CMD_NEWFAMILY, "craton_hsm", "events");
	struct event_family family;

	for (uint32_t len = 0; len < message.len; len++) {
		struct message cut = message;

		EXPECT_FALSE(decode_family(&message, len, &family));
		cut.len = len;
		if (len < sizeof(struct nlmsghdr))
			continue;
		finish(&cut);
		EXPECT_FALSE(decode_family(&cut, len, &family));
	}
}

TEST(a_name_without_an_end)
{
	struct message message = begin(CTRL_CMD_NEWFAMILY);
	struct event_family family;
	uint16_t id = 33;

	put_attribute(&message, CTRL_ATTR_FAMILY_ID, &id, sizeof(id));
	put_attribute(&message, CTRL_ATTR_FAMILY_NAME, "craton_hsm", 10);
	finish(&message);
	EXPECT_FALSE(decode_family(&message, message.len, &family));
}

/* ---- uevents ---- */

#define UEVENT "change@/devices/platform/QEMUVGID:00\0ACTION=change\0SUBSYSTEM=platform\0"

typedef bool decoder(const void *octets, size_t len, struct event *event);

/* From a copy of exactly that length, so that a sanitizer sees a step beyond it. */
static bool tells_of_copy(decoder *attempt, const char *source, const char *octets, size_t len)
{
	char *copy = malloc(len ? len : 1);
	struct event event;
	bool tells;

	ASSERT_NOT_NULL(copy);
	memcpy(copy, octets, len);
	tells = attempt(copy, len, &event);
	if (tells) {
		EXPECT_EQ(event.type, EVENT_VM_GENERATION);
		EXPECT_STREQ(event_source_text(&event), source);
		EXPECT_TRUE(event_wants_reseed(&event));
	}
	free(copy);
	return tells;
}

#define IS_GENERATION(text) tells_of_copy(event_decode_uevent, "uevent", text, sizeof(text) - 1)

TEST(the_uevent_of_a_copy)
{
	EXPECT_TRUE(IS_GENERATION(UEVENT "NEW_VMGENID=1\0SEQNUM=99\0"));
	EXPECT_TRUE(IS_GENERATION(UEVENT "SEQNUM=99\0NEW_VMGENID=1\0"));
	EXPECT_TRUE(IS_GENERATION(UEVENT "NEW_VMGENID=1"));
}

TEST(other_uevents)
{
	EXPECT_FALSE(IS_GENERATION(""));
	EXPECT_FALSE(IS_GENERATION("\0\0\0"));
	EXPECT_FALSE(IS_GENERATION(UEVENT));
	EXPECT_FALSE(IS_GENERATION(UEVENT "NEW_VMGENID=0\0"));
	EXPECT_FALSE(IS_GENERATION(UEVENT "NEW_VMGENID=11\0"));
	EXPECT_FALSE(IS_GENERATION(UEVENT "NEW_VMGENID="));
	/* What root can have the kernel say, by writing to a uevent file. */
	EXPECT_FALSE(IS_GENERATION(UEVENT "SYNTH_ARG_NEW_VMGENID=1\0"));
	EXPECT_FALSE(IS_GENERATION("change@/devices/NEW_VMGENID=1\0ACTION=change\0"));
}

/* ---- the kernel's log ---- */

#define FORK "random: crng reseeded due to virtual machine fork"

#define IS_FORK(text) tells_of_copy(event_decode_log, "kernel-log", text, sizeof(text) - 1)

TEST(the_line_of_a_copy)
{
	EXPECT_TRUE(IS_FORK("5,1234,13614351,-;" FORK "\n"));
	EXPECT_TRUE(IS_FORK("5,1234,13614351,-,caller=T1;" FORK "\n"));
	EXPECT_TRUE(IS_FORK("0,1,2,c;" FORK "\n SUBSYSTEM=acpi\n DEVICE=+acpi:QEMUVGID:00\n"));
}

TEST(other_lines)
{
	static const char whole[] = "5,1234,13614351,-;" FORK "\n";

	for (size_t len = 0; len < sizeof(whole) - 1; len++)
		EXPECT_FALSE(tells_of_copy(event_decode_log, "kernel-log", whole, len));
	/* What a program wrote. */
	EXPECT_FALSE(IS_FORK("13,1234,13614351,-;" FORK "\n"));
	EXPECT_FALSE(IS_FORK("8,1234,13614351,-;" FORK "\n"));
	EXPECT_FALSE(IS_FORK("5,1234,13614351,-;usb: " FORK "\n"));
	EXPECT_FALSE(IS_FORK("5,1234,13614351,-;" FORK " not\n"));
	EXPECT_FALSE(IS_FORK("5,1234,13614351,-;other\n " FORK "\n"));
	EXPECT_FALSE(IS_FORK(";" FORK "\n"));
	EXPECT_FALSE(IS_FORK("5;" FORK ",\n"));
	EXPECT_FALSE(IS_FORK("x,1;" FORK "\n"));
}

HARNESS_MAIN
