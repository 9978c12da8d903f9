/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making and sending shared memory. What is in it is connection_ring.c's and connection_window.c's
 * business.
 */
#include "shared_memory.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "error.h"
#include "wire/codec.h"

#define ANSWER_LEN (WIRE_FRAME_HEADER_LEN + 4u)

static void *map(int fd, size_t len, bool locked)
{
	void *memory;

	if (ftruncate(fd, (off_t)len) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return NULL;
	memory = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return NULL;
	if ((!locked || !mlock(memory, len)) && !madvise(memory, len, MADV_DONTDUMP) &&
	    !madvise(memory, len, MADV_DONTFORK))
		return memory;
	munmap(memory, len);
	return NULL;
}

void *shared_memory_new(const char *name, size_t len, bool locked, int *fd)
{
	void *memory;

	*fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	memory = *fd >= 0 ? map(*fd, len, locked) : NULL;
	if (!memory && *fd >= 0) {
		close(*fd);
		*fd = -1;
	}
	return memory;
}

void shared_memory_free(void *memory, size_t len)
{
	munmap(memory, len);
}

/* A descriptor can only go with the octets it is sent with, and io_uring has no such send on all
 * kernels. The reply is short and the socket's queue empty, since the client waits for it. */
static bool send_with(int socket_fd, struct wire_bytes frame, const int *fds, size_t count)
{
	union {
		struct cmsghdr header;
		uint8_t octets[CMSG_SPACE(SHARED_MEMORY_FDS_MAX * sizeof(int))];
	} control = {0};
	struct iovec part = {(void *)(uintptr_t)frame.data, frame.len};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	if (count) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
	}
	return sendmsg(socket_fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)frame.len;
}

bool shared_memory_answer(int socket_fd, const struct wire_frame_header *request, uint32_t area_len,
                          const int *fds, size_t count)
{
	__attribute__((cleanup(wire_buffer_free))) struct wire_buffer frame = {0};
	struct wire_frame_header header = *request;
	size_t offset;

	wire_buffer_init(&frame, ANSWER_LEN, NULL);
	header.flags = WIRE_FRAME_REPLY;
	header.status = count ? 0 : (uint32_t)err_ckr(ERROR_MEMORY);
	offset = wire_frame_begin(&frame, &header);
	if (count)
		wire_put_u32(&frame, area_len);
	wire_frame_finish(&frame, offset);
	return !frame.failed &&
	       send_with(socket_fd, (struct wire_bytes){frame.data, frame.len}, fds, count);
}
