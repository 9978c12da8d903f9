/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slots, tokens and mechanisms, as the agent describes them. C_GetSlotList, C_GetSlotInfo and
 * C_GetTokenInfo reach a new agent when the old one is gone (instance.h).
 */
#include <string.h>

#include "host_template.h"
#include "instance.h"
#include "request.h"

#define LABEL_LEN       32u
#define EVENT_PERIOD_MS 250

/* Blank padded, never ended by NUL; a name too long is cut between two characters of UTF-8. */
static void pad(CK_UTF8CHAR *out, size_t out_len, struct wire_bytes text)
{
	size_t len = text.len;

	if (len > out_len) {
		len = out_len;
		while (len && (text.data[len] & 0xc0) == 0x80)
			len--;
	}
	memset(out, ' ', out_len);
	if (len)
		memcpy(out, text.data, len);
}

static CK_VERSION version(uint32_t number)
{
	return (CK_VERSION){.major = (CK_BYTE)(number >> 8), .minor = (CK_BYTE)number};
}

/* The rule of every list: NULL asks for the count. */
static CK_RV give_list(const struct wire_u64_list *list, CK_ULONG *out, CK_ULONG *count)
{
	CK_ULONG room = *count;

	*count = list->count;
	if (!out)
		return CKR_OK;
	if (room < list->count)
		return CKR_BUFFER_TOO_SMALL;
	for (uint32_t i = 0; i < list->count; i++)
		out[i] = host_ulong(wire_u64_list_at(list, i));
	return CKR_OK;
}

static CK_RV get_slot_list(CK_BBOOL present, CK_SLOT_ID *slots, CK_ULONG *count)
{
	struct wire_get_slot_list_request request = {.token_present = present != CK_FALSE};
	struct wire_get_slot_list_reply reply;
	CK_RV rv;
	connection_auto connection = instance_borrow_plain(&rv);

	if (!connection)
		return rv;
	if (!count)
		return CKR_ARGUMENTS_BAD;
	rv = request_get_slot_list(connection, &request, &reply);
	return rv ? rv : give_list(&reply.slots, slots, count);
}

EXPORT CK_RV C_GetSlotList(CK_BBOOL present, CK_SLOT_ID *slots, CK_ULONG *count)
{
	CK_RV rv = get_slot_list(present, slots, count);

	if (rv == CKR_DEVICE_REMOVED && instance_revive())
		rv = get_slot_list(present, slots, count);
	return rv;
}

static CK_RV get_slot_info(CK_SLOT_ID slot, CK_SLOT_INFO *info)
{
	struct wire_get_slot_info_request request = {.slot_id = slot};
	struct wire_get_slot_info_reply reply;
	CK_RV rv;
	connection_auto connection = instance_borrow_plain(&rv);

	if (!connection)
		return rv;
	if (!info)
		return CKR_ARGUMENTS_BAD;
	rv = request_get_slot_info(connection, &request, &reply);
	if (rv)
		return rv;
	pad(info->slotDescription, sizeof(info->slotDescription), reply.description);
	pad(info->manufacturerID, sizeof(info->manufacturerID), reply.manufacturer);
	info->flags = (CK_FLAGS)reply.flags;
	info->hardwareVersion = version(reply.hardware_version);
	info->firmwareVersion = version(reply.firmware_version);
	return CKR_OK;
}

EXPORT CK_RV C_GetSlotInfo(CK_SLOT_ID slot, CK_SLOT_INFO *info)
{
	CK_RV rv = get_slot_info(slot, info);

	if (rv == CKR_DEVICE_REMOVED && instance_revive())
		rv = get_slot_info(slot, info);
	return rv;
}

static void fill_token_info(CK_TOKEN_INFO *info, const struct wire_get_token_info_reply *reply)
{
	*info = (CK_TOKEN_INFO){
		.flags = (CK_FLAGS)reply->flags,
		.ulMaxSessionCount = host_ulong(reply->max_session_count),
		.ulSessionCount = host_ulong(reply->session_count),
		.ulMaxRwSessionCount = host_ulong(reply->max_rw_session_count),
		.ulRwSessionCount = host_ulong(reply->rw_session_count),
		.ulMaxPinLen = host_ulong(reply->max_pin_len),
		.ulMinPinLen = host_ulong(reply->min_pin_len),
		.ulTotalPublicMemory = CK_UNAVAILABLE_INFORMATION,
		.ulFreePublicMemory = CK_UNAVAILABLE_INFORMATION,
		.ulTotalPrivateMemory = CK_UNAVAILABLE_INFORMATION,
		.ulFreePrivateMemory = CK_UNAVAILABLE_INFORMATION,
		.hardwareVersion = version(reply->hardware_version),
		.firmwareVersion = version(reply->firmware_version),
	};
	pad(info->label, sizeof(info->label), reply->label);
	pad(info->manufacturerID, sizeof(info->manufacturerID), reply->manufacturer);
	pad(info->model, sizeof(info->model), reply->model);
	pad(info->serialNumber, sizeof(info->serialNumber), reply->serial_number);
	pad(info->utcTime, sizeof(info->utcTime), reply->utc_time);
}

static CK_RV get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
	struct wire_get_token_info_request request = {.slot_id = slot};
	struct wire_get_token_info_reply reply;
	CK_RV rv;
	connection_auto connection = instance_borrow_plain(&rv);

	if (!connection)
		return rv;
	if (!info)
		return CKR_ARGUMENTS_BAD;
	rv = request_get_token_info(connection, &request, &reply);
	if (!rv)
		fill_token_info(info, &reply);
	return rv;
}

EXPORT CK_RV C_GetTokenInfo(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
	CK_RV rv = get_token_info(slot, info);

	if (rv == CKR_DEVICE_REMOVED && instance_revive())
		rv = get_token_info(slot, info);
	return rv;
}

EXPORT CK_RV C_GetMechanismList(CK_SLOT_ID slot, CK_MECHANISM_TYPE *mechanisms, CK_ULONG *count)
{
	struct wire_get_mechanism_list_request request = {.slot_id = slot};
	struct wire_get_mechanism_list_reply reply;
	CK_RV rv;
	connection_auto connection = instance_borrow_plain(&rv);

	if (!connection)
		return rv;
	if (!count)
		return CKR_ARGUMENTS_BAD;
	rv = request_get_mechanism_list(connection, &request, &reply);
	return rv ? rv : give_list(&reply.mechanisms, mechanisms, count);
}

EXPORT CK_RV C_GetMechanismInfo(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info)
{
	struct wire_get_mechanism_info_request request = {.slot_id = slot, .mechanism = type};
	struct wire_get_mechanism_info_reply reply;
	CK_RV rv;
	connection_auto connection = instance_borrow_plain(&rv);

	if (!connection)
		return rv;
	if (!info)
		return CKR_ARGUMENTS_BAD;
	rv = request_get_mechanism_info(connection, &request, &reply);
	if (rv)
		return rv;
	*info = (CK_MECHANISM_INFO){
		.ulMinKeySize = host_ulong(reply.min_key_size),
		.ulMaxKeySize = host_ulong(reply.max_key_size),
		.flags = (CK_FLAGS)reply.flags,
	};
	return CKR_OK;
}

/* The caller's label is 32 octets, blank padded. */
static struct wire_bytes unpad(const CK_UTF8CHAR *label)
{
	size_t len = LABEL_LEN;

	while (len && label[len - 1] == ' ')
		len--;
	return (struct wire_bytes){label, len};
}

EXPORT CK_RV C_InitToken(CK_SLOT_ID slot, CK_UTF8CHAR *pin, CK_ULONG pin_len, CK_UTF8CHAR *label)
{
	struct wire_init_token_request request = {.slot_id = slot, .pin = {pin, pin_len}};
	CK_RV rv;
	connection_auto connection = instance_borrow(&rv);

	if (!connection)
		return rv;
	if (!pin || !label)
		return CKR_ARGUMENTS_BAD;
	request.label = unpad(label);
	return request_init_token(connection, &request, NULL);
}

/* The agent does not tell; it is asked, at once and then four times a second, until something
 * happened or the channel ends: by C_Finalize, or with the agent. */
static CK_RV wait_for_event(CK_FLAGS flags, CK_SLOT_ID *slot)
{
	struct wire_slot_event_request request = {0};
	struct wire_slot_event_reply reply = {0};
	CK_RV rv;
	connection_auto connection = instance_borrow(&rv);

	if (!connection)
		return rv;
	for (;;) {
		rv = request_slot_event(connection, &request, &reply);
		if (!rv && !reply.occurred && (flags & CKF_DONT_BLOCK))
			rv = CKR_NO_EVENT;
		if (rv || reply.occurred)
			break;
		channel_pause(connection, EVENT_PERIOD_MS);
	}
	if (!rv)
		*slot = host_ulong(reply.slot_id);
	return rv;
}

EXPORT CK_RV C_WaitForSlotEvent(CK_FLAGS flags, CK_SLOT_ID *slot, void *reserved)
{
	CK_RV rv = instance_check_agent();

	if (rv)
		return rv;
	if (!slot || reserved)
		return CKR_ARGUMENTS_BAD;
	rv = wait_for_event(flags, slot);
	if (rv == CKR_DEVICE_REMOVED && instance_revive())
		rv = wait_for_event(flags, slot);
	return rv;
}
