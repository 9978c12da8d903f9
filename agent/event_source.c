/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sockets. The generic netlink one listens to nlctrl's announcements and, once the family is
 * known, to its events; the question for the family at the start is answered by the same kind of
 * message that announces it later, so there is one path for both and no race between them. Messages
 * that the kernel did not send are dropped.
 */
#include "event_source.h"

#include <errno.h>
#include <fcntl.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/genetlink.h>
#include <linux/netlink.h>

#define READ_MAX      64u          /* datagrams of one socket at a time */
#define RECEIVE_LEN   (256 * 1024) /* of each socket, octets */
#define UEVENT_LEN    8192u        /* the kernel's are below 4 KiB */
#define LOG_LEN       8192u        /* as the kernel recommends for its records */
#define UEVENT_KERNEL 1u           /* group of the kernel's own; udev repeats them in another */

struct event_source {
	int epoll_fd;
	struct nl_sock *module;
	uint16_t family;                                        /* 0: the module is not there */
	int uevent_fd;                                          /* -1: not heard */
	int log_fd;                                             /* likewise */
	void (*each)(void *context, const struct event *event); /* while it is read */
	void *context;
};

static void tell_type(struct event_source *source, enum event_type type,
                      enum event_source_name name)
{
	const struct event event = {.type = type, .source = name};

	source->each(source->context, &event);
}

static int watch(struct event_source *source, int fd)
{
	struct epoll_event interest = {.events = EPOLLIN};

	return epoll_ctl(source->epoll_fd, EPOLL_CTL_ADD, fd, &interest);
}

/* ---- the module ---- */

static void take_family(struct event_source *source, const struct event_family *family)
{
	if (family->gone) {
		if (source->family)
			tell_type(source, EVENT_MODULE_GONE, EVENT_FROM_MODULE);
		source->family = 0;
		return;
	}
	/* Answer and announcement may both come. */
	if (source->family == family->id)
		return;
	if (nl_socket_add_membership(source->module, (int)family->group)) {
		tell_type(source, EVENT_LOST, EVENT_FROM_MODULE);
		return;
	}
	source->family = family->id;
	tell_type(source, EVENT_MODULE_FOUND, EVENT_FROM_MODULE);
}

static int from_kernel_only(struct nl_msg *message, void *unused)
{
	(void)unused;
	return nlmsg_get_src(message)->nl_pid ? NL_SKIP : NL_OK;
}

static int on_message(struct nl_msg *message, void *context)
{
	struct event_source *source = context;
	struct nlmsghdr *header = nlmsg_hdr(message);
	struct event_family family;
	struct event event;

	if (header->nlmsg_type == GENL_ID_CTRL &&
	    event_decode_family(header, header->nlmsg_len, &family)) {
		take_family(source, &family);
	} else if (source->family && header->nlmsg_type == source->family) {
		event_decode(header, header->nlmsg_len, &event);
		source->each(source->context, &event);
	}
	return NL_OK;
}

/* The kernel knows no such family yet: it will be announced. */
static int on_error(struct sockaddr_nl *from, struct nlmsgerr *error, void *unused)
{
	(void)from;
	(void)error;
	(void)unused;
	return NL_SKIP;
}

/* The answer, if there is one, is read with the events. */
static int ask_for_family(struct event_source *source)
{
	struct nl_msg *message = nlmsg_alloc();
	int failed = -NLE_NOMEM;

	if (message && genlmsg_put(message, NL_AUTO_PORT, NL_AUTO_SEQ, GENL_ID_CTRL, 0, 0,
	                           CTRL_CMD_GETFAMILY, 1))
		failed = nla_put_string(message, CTRL_ATTR_FAMILY_NAME, CRATON_HSM_GENL_NAME);
	if (!failed)
		failed = nl_send_auto(source->module, message);
	nlmsg_free(message);
	return failed < 0 ? failed : 0;
}

static int prepare_module(struct event_source *source)
{
	int result = genl_connect(source->module);

	if (!result)
		result = nl_socket_set_buffer_size(source->module, RECEIVE_LEN, 0);
	if (!result)
		result = genl_ctrl_resolve_grp(source->module, "nlctrl", "notify");
	if (result > 0)
		result = nl_socket_add_membership(source->module, result);
	if (!result)
		result = nl_socket_set_nonblocking(source->module);
	if (result)
		return result;
	nl_socket_disable_seq_check(source->module);
	nl_socket_disable_auto_ack(source->module);
	nl_socket_modify_cb(source->module, NL_CB_MSG_IN, NL_CB_CUSTOM, from_kernel_only, NULL);
	nl_socket_modify_cb(source->module, NL_CB_VALID, NL_CB_CUSTOM, on_message, source);
	nl_socket_modify_err_cb(source->module, NL_CB_CUSTOM, on_error, NULL);
	return ask_for_family(source);
}

static void close_module(struct event_source *source)
{
	nl_socket_free(source->module);
	source->module = NULL;
	source->family = 0;
}

static const char *open_module(struct event_source *source)
{
	int failed;

	source->module = nl_socket_alloc();
	if (!source->module)
		return strerror(ENOMEM);
	failed = prepare_module(source);
	if (!failed && !watch(source, nl_socket_get_fd(source->module)))
		return NULL;
	close_module(source);
	return failed ? nl_geterror(failed) : strerror(errno);
}

/* One datagram. False when there is none left. */
static bool read_module(struct event_source *source)
{
	int failed = nl_recvmsgs_default(source->module);

	if (failed >= 0 || failed == -NLE_INTR)
		return true;
	if (failed == -NLE_AGAIN)
		return false;
	/* libnl says NOMEM for ENOBUFS, the overrun; it is reported once. */
	tell_type(source, EVENT_LOST, EVENT_FROM_MODULE);
	if (failed == -NLE_NOMEM || failed == -NLE_MSG_TRUNC || failed == -NLE_MSG_OVERFLOW)
		return true;
	close_module(source);
	return false;
}

/* ---- uevents ---- */

static int prepare_uevents(int fd)
{
	const struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = UEVENT_KERNEL};
	const int len = RECEIVE_LEN;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &len, sizeof(len)))
		return -1;
	return bind(fd, (const struct sockaddr *)&address, sizeof(address));
}

static const char *open_uevents(struct event_source *source)
{
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	                NETLINK_KOBJECT_UEVENT);
	const char *problem = NULL;

	if (fd < 0 || prepare_uevents(fd) || watch(source, fd))
		problem = strerror(errno);
	if (problem && fd >= 0)
		close(fd);
	source->uevent_fd = problem ? -1 : fd;
	return problem;
}

static void take_uevent(struct event_source *source, const char *octets, size_t len,
                        const struct msghdr *header)
{
	const struct sockaddr_nl *from = header->msg_name;
	struct event event;

	/* None of ours is truncated. */
	if (header->msg_namelen == sizeof(*from) && !from->nl_pid &&
	    from->nl_groups == UEVENT_KERNEL && !(header->msg_flags & MSG_TRUNC) &&
	    event_decode_uevent(octets, len, &event))
		source->each(source->context, &event);
}

/* One datagram. False when there is none left. */
static bool read_uevent(struct event_source *source)
{
	char octets[UEVENT_LEN];
	struct sockaddr_nl from = {0};
	struct iovec place = {octets, sizeof(octets)};
	struct msghdr header = {
		.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &place,
		.msg_iovlen = 1,
	};
	ssize_t len = recvmsg(source->uevent_fd, &header, 0);

	if (len >= 0)
		take_uevent(source, octets, (size_t)len, &header);
	if (len >= 0 || errno == EINTR)
		return true;
	if (errno == EAGAIN)
		return false;
	if (errno != ENOBUFS) {
		close(source->uevent_fd);
		source->uevent_fd = -1;
	}
	tell_type(source, EVENT_LOST, EVENT_FROM_UEVENT);
	return source->uevent_fd >= 0;
}

/* ---- the kernel's log ---- */

/* What is in it already is past. */
static void open_log(struct event_source *source)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	source->log_fd = fd;
	if (fd < 0 || (lseek(fd, 0, SEEK_END) >= 0 && !watch(source, fd)))
		return;
	close(fd);
	source->log_fd = -1;
}

/* One record. False when there is none left. */
static bool read_log(struct event_source *source)
{
	char octets[LOG_LEN];
	struct event event;
	ssize_t len = read(source->log_fd, octets, sizeof(octets));

	if (len > 0 && event_decode_log(octets, (size_t)len, &event))
		source->each(source->context, &event);
	if (len > 0 || (len < 0 && errno == EINTR))
		return true;
	if (len < 0 && errno == EAGAIN)
		return false;
	/* EPIPE: the log went round before it was read. */
	if (len == 0 || errno != EPIPE) {
		close(source->log_fd);
		source->log_fd = -1;
	}
	tell_type(source, EVENT_LOST, EVENT_FROM_LOG);
	return source->log_fd >= 0;
}

/* ---- all ---- */

int event_source_open(struct event_source **out, char *problem, size_t problem_len)
{
	struct event_source *source = calloc(1, sizeof(*source));
	const char *module_problem, *uevent_problem;

	*out = NULL;
	problem[0] = '\0';
	if (source)
		source->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!source || source->epoll_fd < 0) {
		snprintf(problem, problem_len, "kernel events cannot be heard: %s",
		         strerror(errno));
		free(source);
		return -1;
	}
	module_problem = open_module(source);
	uevent_problem = open_uevents(source);
	open_log(source);
	if (module_problem || uevent_problem)
		snprintf(problem, problem_len, "kernel events cannot be heard from %s: %s",
		         !uevent_problem   ? "the module"
		         : !module_problem ? "uevents"
		                           : "anywhere",
		         module_problem ? module_problem : uevent_problem);
	if (module_problem && uevent_problem) {
		event_source_close(source);
		return -1;
	}
	*out = source;
	return 0;
}

void event_source_close(struct event_source *source)
{
	if (!source)
		return;
	if (source->log_fd >= 0)
		close(source->log_fd);
	if (source->uevent_fd >= 0)
		close(source->uevent_fd);
	nl_socket_free(source->module);
	close(source->epoll_fd);
	free(source);
}

int event_source_fd(const struct event_source *source)
{
	return source->epoll_fd;
}

bool event_source_hears_module(const struct event_source *source)
{
	return source->family != 0;
}

bool event_source_hears_uevents(const struct event_source *source)
{
	return source->uevent_fd >= 0;
}

bool event_source_hears_log(const struct event_source *source)
{
	return source->log_fd >= 0;
}

void event_source_read(struct event_source *source,
                       void (*each)(void *context, const struct event *event), void *context)
{
	source->each = each;
	source->context = context;
	/* The descriptor stays readable over what is left. */
	for (unsigned int i = 0; i < READ_MAX && source->module && read_module(source); i++)
		;
	for (unsigned int i = 0; i < READ_MAX && source->uevent_fd >= 0 && read_uevent(source); i++)
		;
	for (unsigned int i = 0; i < READ_MAX && source->log_fd >= 0 && read_log(source); i++)
		;
}
