/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints docs/protocol.md: the rules of the protocol in a few words and, from the tables that the
 * codec is made of, every message, parameter, mechanism and attribute. It reads nothing; run
 * `make docs` after a table or this text has changed.
 */
#include <stdio.h>

#include "wire/codec.h"
#include "wire/window.h"

/* A table cell must not hold a bar. */
static void print_text(const char *text)
{
	for (; *text; text++)
		printf(*text == '|' ? "\\|" : "%c", *text);
}

static void print_field(const char *direction, const char *kind, const char *name, const char *text)
{
	printf("| %s | `%s` | %s | ", direction, name, kind);
	print_text(text);
	puts(" |");
}

static void print_introduction(void)
{
	puts("# The protocol\n\n"
	     "<!-- Made by scripts/protocol-doc.c from lib/wire/*.def. Change those and run `make "
	     "docs`. -->\n\n"
	     "The client library, `cratond` and `craton-hsm-admin` speak this protocol to the "
	     "agent over a\n"
	     "Unix stream socket. Both ends are built from one set of tables in `lib/wire/`; so is "
	     "this page.\n"
	     "All numbers are unsigned and little-endian. Lengths are in octets.\n");
}

static void print_frame(void)
{
	printf("## Frames\n\n"
	       "A frame is a header of %u octets and a body.\n\n"
	       "| offset | size | field | meaning |\n"
	       "|---:|---:|---|---|\n"
	       "| 0 | 4 | `body_len` | octets after the header |\n"
	       "| 4 | 4 | `request_id` | chosen by the client, repeated in the reply |\n"
	       "| 8 | 2 | `opcode` | which message |\n"
	       "| 10 | 2 | `flags` | 0x%04x in a reply; 0x%04x in a request of which only a "
	       "failure is "
	       "to be answered, with feature bit %llu; 0x%04x in shared memory, see below; every "
	       "other bit is 0 |\n"
	       "| 12 | 4 | `status` | a `CKR_*` in a reply, 0 in a request |\n\n",
	       WIRE_FRAME_HEADER_LEN, WIRE_FRAME_REPLY, WIRE_FRAME_QUIET, WIRE_FEATURE_EPOCH,
	       WIRE_FRAME_WINDOW);
	puts("The body is the fields of the message in the order of the tables below, without "
	     "padding. A decoder\n"
	     "reads the whole body and refuses one that is shorter or longer than its fields. The "
	     "encoding is\n"
	     "canonical: a body that is accepted has only that form. A request whose body is not "
	     "of "
	     "its form is\n"
	     "answered by `CKR_ARGUMENTS_BAD`. A header that breaks a rule ends the connection: "
	     "another flag, a status\n"
	     "in a request, a body above the limit, an opcode that does not exist or that needs a "
	     "hello first.\n");
}

static void print_limits(void)
{
	printf("## Limits\n\n"
	       "| limit | value |\n"
	       "|---|---:|\n"
	       "| data of one call | %u |\n"
	       "| body of a BULK message | %u |\n"
	       "| body of a CONTROL message | %u |\n"
	       "| attributes in one template | %u |\n"
	       "| handles in one reply to `find_objects` | %u |\n\n",
	       WIRE_DATA_LIMIT, WIRE_BULK_LIMIT, WIRE_CONTROL_LIMIT, WIRE_ATTRIBUTE_MAX,
	       WIRE_FIND_MAX);
	puts("The limit of a message holds for its request and its reply.\n");
}

static void print_kinds(void)
{
	puts("## Kinds of fields\n\n"
	     "| kind | on the wire |\n"
	     "|---|---|\n"
	     "| u32, u64 | 4 or 8 octets |\n"
	     "| flag | one octet, 0 or 1 |\n"
	     "| bytes | u32 length, then the octets |\n"
	     "| u64_list | u32 count, then that many u64 |\n"
	     "| mechanism | u64 `CKM_*`, u8 shape, bytes parameter |\n"
	     "| template | u32 count, u32 length of all attributes, then the attributes |\n\n"
	     "An attribute is u64 `CKA_*`, u8 kind, u32 length of its value, value:\n");
	printf("| kind | name | value |\n"
	       "|---:|---|---|\n"
	       "| %d | bytes | any octets; also for every attribute that is not listed below |\n"
	       "| %d | number | 8 octets; all ones is `CK_UNAVAILABLE_INFORMATION` |\n"
	       "| %d | flag | one octet, 0 or 1 |\n"
	       "| %d | date | nothing, or 8 octets `YYYYMMDD` |\n"
	       "| %d | mechanisms | any number of u64 |\n"
	       "| %d | attributes | a template, which may not hold another one |\n"
	       "| %d | malformed | nothing; in requests only: the caller's value did not fit its "
	       "type, which is answered by `CKR_ATTRIBUTE_VALUE_INVALID` |\n"
	       "| %d | unavailable | 8 octets, in replies only: the `CKR_*` that says why there is "
	       "no "
	       "value |\n\n",
	       WIRE_ATTRIBUTE_BYTES, WIRE_ATTRIBUTE_NUMBER, WIRE_ATTRIBUTE_FLAG,
	       WIRE_ATTRIBUTE_DATE, WIRE_ATTRIBUTE_MECHANISMS, WIRE_ATTRIBUTE_ATTRIBUTES,
	       WIRE_ATTRIBUTE_MALFORMED, WIRE_ATTRIBUTE_UNAVAILABLE);
}

static void print_hello(void)
{
	printf("## Hello and tickets\n\n"
	       "The first message of a connection is `hello` with version %u; only `admin_status` "
	       "may "
	       "come without\n"
	       "it. Another version is answered by `CKR_FUNCTION_NOT_SUPPORTED`. The features in "
	       "force "
	       "are those both\n"
	       "ends have; there are none yet.\n\n",
	       WIRE_VERSION);
	printf("An empty ticket starts a new application: one PKCS#11 application with its own "
	       "login "
	       "state, sessions\n"
	       "and session objects. The reply carries its ticket, %u random octets. A further "
	       "connection that gives\n"
	       "this ticket, from the same pid and uid (as the kernel tells the agent, "
	       "SO_PEERCRED), "
	       "joins that\n"
	       "application; any other is answered by `CKR_FUNCTION_REJECTED`. The application "
	       "ends "
	       "with its first\n"
	       "connection: its other connections are shut down, its sessions, session objects and "
	       "unfinished\n"
	       "operations destroyed and wiped. When one of the others ends, nothing is lost.\n\n",
	       WIRE_TICKET_LEN);
}

static void print_replies(void)
{
	puts("## Replies\n\n"
	     "Every request gets one reply with its `request_id` and opcode. A client may send the "
	     "next request\n"
	     "before the reply has come. Replies come in the order in which they are ready, not in "
	     "that of the\n"
	     "requests: a slow one (a key generation, a login) lets others pass. A client that "
	     "needs "
	     "an order, as\n"
	     "between `sign_init` and `sign`, waits for the reply.\n\n"
	     "The reply's fields are there when `status` is one of these; otherwise its body is "
	     "empty.\n\n"
	     "| status | fields |\n"
	     "|---|---|\n"
	     "| `CKR_OK` | the result |\n"
	     "| `CKR_BUFFER_TOO_SMALL` | the length that is needed; the operation goes on |\n"
	     "| `CKR_ATTRIBUTE_SENSITIVE`, `CKR_ATTRIBUTE_TYPE_INVALID` | all attributes, those "
	     "that "
	     "cannot be given of kind unavailable |\n\n"
	     "`query` and `capacity` in a request are the caller's output buffer. A query (a NULL "
	     "buffer in PKCS#11)\n"
	     "is answered by the length alone and does not end the operation. A result longer than "
	     "`capacity` is\n"
	     "not sent: the status is `CKR_BUFFER_TOO_SMALL`.\n");
}

static void print_window(void)
{
	printf("## The window\n\n"
	       "A client that has a ring and feature bit %llu may ask for a second area, the "
	       "window "
	       "(`lib/wire/window.h`):\n"
	       "%u slots of %u octets. A frame in the ring with flag 0x%04x has the octets of its "
	       "last field in a slot; at\n"
	       "the end of its body stands only their length, in a request at most %u. The "
	       "requests "
	       "take the slots\n"
	       "in turn, and the reply to a request has its slot. An agent that has given up an "
	       "idle "
	       "client's window answers\n"
	       "such a request by `CKR_FUNCTION_NOT_SUPPORTED` and has done nothing; the client "
	       "may "
	       "ask for another.\n\n",
	       WIRE_FEATURE_WINDOW, WIRE_WINDOW_SLOTS, WIRE_WINDOW_SLOT_LEN, WIRE_FRAME_WINDOW,
	       WIRE_WINDOW_PART_LEN);
	puts("The data of these calls may come in parts (`parts_begin`, `parts_next`); the parts "
	     "may "
	     "be sent before the\n"
	     "replies have come, one for each slot. The output is the sum of what the parts add. "
	     "Where the agent wants all data\n"
	     "before it gives any (AEAD decryption, padding), the last reply brings the first "
	     "slot's "
	     "worth of it and\n"
	     "`parts_rest` the others. When a part fails the call has failed, and the parts behind "
	     "it "
	     "are answered by\n"
	     "`CKR_OPERATION_NOT_INITIALIZED`.\n\n"
	     "| call | works on |\n"
	     "|---|---|");
#define PARTS(name, kind, step, fields, other)                                                     \
	printf("| `%s` | the operation %s, step %s |\n", #name, #kind, #step);
#define PARTS_OF_MESSAGE(name, kind, extent, fields)                                               \
	printf("| `%s` | the messages of %s, %s |\n", #name, #kind, #extent);
#include "wire/parts.def"
#undef PARTS
#undef PARTS_OF_MESSAGE
	puts("");
}

/* Both directions of a message without fields still say so. */
static void print_messages(void)
{
	puts("## Messages\n\n"
	     "The form of the JSON in the reply to `admin_status` is described in "
	     "[operation.md](operation.md).\n");
#define MESSAGE(opcode, name, function, limit)                                                     \
	printf("### %s\n\n0x%04x, %s, %s\n\n| | field | kind | meaning |\n|---|---|---|---|\n",    \
	       #name, opcode, function, #limit);
#define REQUEST_FIELD(kind, name, text) print_field("request", #kind, #name, text);
#define REPLY_FIELD(kind, name, text)   print_field("reply", #kind, #name, text);
#define END_MESSAGE                     puts("");
#include "wire/message.def"
#undef MESSAGE
#undef REQUEST_FIELD
#undef REPLY_FIELD
#undef END_MESSAGE
}

static void print_shapes(void)
{
	printf("## Shapes of mechanism parameters\n\n"
	       "A parameter is the fields of its shape in this order. Shapes none (%d) and "
	       "malformed "
	       "(%d) have an empty\n"
	       "parameter; malformed says that the caller's structure had the wrong length or "
	       "lacked "
	       "something, and\n"
	       "is answered by `CKR_MECHANISM_PARAM_INVALID`.\n\n",
	       WIRE_SHAPE_none, WIRE_SHAPE_malformed);
#define RECORD(shape)                                                                              \
	printf("### %s\n\nShape %d\n\n| field | kind | meaning |\n|---|---|---|\n", #shape,        \
	       WIRE_SHAPE_##shape);
#define RECORD_FIELD(kind, name, text)                                                             \
	printf("| `%s` | %s | ", #name, #kind);                                                    \
	print_text(text);                                                                          \
	puts(" |");
#define END_RECORD puts("");
#include "wire/parameter.def"
#undef RECORD
#undef RECORD_FIELD
#undef END_RECORD
}

static void print_mechanisms(void)
{
	puts("## Mechanisms\n\n"
	     "A mechanism that is not listed travels with shape none and is answered by "
	     "`CKR_MECHANISM_INVALID`.\n\n"
	     "| mechanism | number | shape |\n"
	     "|---|---:|---|");
#define MECHANISM(type, shape)                                                                     \
	printf("| `%s` | 0x%08llx | %s |\n", #type, (unsigned long long)(type), #shape);
#include "wire/mechanism.def"
#undef MECHANISM
	puts("");
}

static void print_attributes(void)
{
	puts("## Attributes\n\n"
	     "| attribute | number | kind |\n"
	     "|---|---:|---|");
#define ATTRIBUTE(type, kind)                                                                      \
	printf("| `%s` | 0x%08llx | %s |\n", #type, (unsigned long long)(type), #kind);
#include "wire/attribute.def"
#undef ATTRIBUTE
}

int main(void)
{
	print_introduction();
	print_frame();
	print_limits();
	print_kinds();
	print_hello();
	print_replies();
	print_window();
	print_messages();
	print_shapes();
	print_mechanisms();
	print_attributes();
	return fflush(stdout) || ferror(stdout);
}
