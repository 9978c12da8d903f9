/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared memory from a descriptor that the agent sent. The agent is trusted to keep secrets, and
 * all the same what it sends is checked: a wrong agent must not crash its client.
 */
#include "exchange_ring.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* It cannot shrink while we use it. */
static bool is_sealed(int fd, size_t len)
{
	const int wanted = F_SEAL_SHRINK | F_SEAL_GROW;
	struct stat status;

	return (fcntl(fd, F_GET_SEALS) & wanted) == wanted && !fstat(fd, &status) &&
	       (size_t)status.st_size == len;
}

bool exchange_ring_map(struct exchange_ring *ring, int fd, uint32_t area_len)
{
	const size_t len = sizeof(struct wire_ring_area);
	void *memory;

	if (area_len != len || !is_sealed(fd, len))
		return false;
	memory = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return false;
	/* A child must not speak on its parent's behalf. */
	if (madvise(memory, len, MADV_DONTFORK) || madvise(memory, len, MADV_DONTDUMP)) {
		munmap(memory, len);
		return false;
	}
	ring->area = memory;
	wire_ring_requests(&ring->requests, ring->area);
	wire_ring_replies(&ring->replies, ring->area);
	return true;
}

void exchange_ring_unmap(struct exchange_ring *ring, bool forked)
{
	if (ring->area && !forked)
		munmap(ring->area, sizeof(*ring->area));
	ring->area = NULL;
}

static void take_descriptor(struct msghdr *message, int *fd)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(message);

	if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
	    header->cmsg_len != CMSG_LEN(sizeof(int)))
		return;
	if (*fd >= 0)
		close(*fd);
	memcpy(fd, CMSG_DATA(header), sizeof(*fd));
}

bool exchange_ring_receive(int socket_fd, uint8_t *octets, size_t len, int *fd, int timeout_ms)
{
	struct pollfd wanted = {.fd = socket_fd, .events = POLLIN};

	while (len) {
		union {
			struct cmsghdr header;
			uint8_t octets[CMSG_SPACE(sizeof(int))];
		} control;
		struct iovec part = {octets, len};
		struct msghdr message = {
			.msg_iov = &part,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof(control),
		};
		ssize_t got = recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC);

		if (got > 0) {
			take_descriptor(&message, fd);
			octets += got;
			len -= (size_t)got;
		} else if (got == 0 || (errno != EAGAIN && errno != EINTR) ||
		           (errno == EAGAIN && poll(&wanted, 1, timeout_ms) == 0)) {
			return false;
		}
	}
	return true;
}
