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

void *exchange_ring_map_shared(int fd, size_t len, int protection)
{
	void *memory =
		is_sealed(fd, len) ? mmap(NULL, len, protection, MAP_SHARED, fd, 0) : MAP_FAILED;

	if (memory == MAP_FAILED)
		return NULL;
	/* A child must not speak on its parent's behalf. */
	if (!madvise(memory, len, MADV_DONTFORK) && !madvise(memory, len, MADV_DONTDUMP))
		return memory;
	munmap(memory, len);
	return NULL;
}

bool exchange_ring_map(struct exchange_ring *ring, const int fds[EXCHANGE_RING_FDS],
                       uint32_t area_len)
{
	if (area_len != sizeof(struct wire_ring_area))
		return false;
	ring->area = exchange_ring_map_shared(fds[0], area_len, PROT_READ | PROT_WRITE);
	if (!ring->area)
		return false;
	if (fds[1] >= 0)
		ring->epoch = exchange_ring_map_shared(fds[1], WIRE_EPOCH_LEN, PROT_READ);
	wire_ring_requests(&ring->requests, ring->area);
	wire_ring_replies(&ring->replies, ring->area);
	return true;
}

void exchange_ring_unmap(struct exchange_ring *ring, bool forked)
{
	if (ring->area && !forked)
		munmap(ring->area, sizeof(*ring->area));
	if (ring->epoch && !forked)
		munmap((void *)(uintptr_t)ring->epoch, WIRE_EPOCH_LEN);
	ring->area = NULL;
	ring->epoch = NULL;
}

static void take_descriptors(struct msghdr *message, int fds[EXCHANGE_RING_FDS])
{
	struct cmsghdr *header = CMSG_FIRSTHDR(message);
	size_t len;

	if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
	    header->cmsg_len < CMSG_LEN(0))
		return;
	len = header->cmsg_len - CMSG_LEN(0);
	for (size_t i = 0; i < EXCHANGE_RING_FDS && (i + 1) * sizeof(int) <= len; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		memcpy(&fds[i], CMSG_DATA(header) + i * sizeof(int), sizeof(int));
	}
}

bool exchange_ring_receive(int socket_fd, uint8_t *octets, size_t len, int fds[EXCHANGE_RING_FDS],
                           int timeout_ms)
{
	struct pollfd wanted = {.fd = socket_fd, .events = POLLIN};

	while (len) {
		union {
			struct cmsghdr header;
			uint8_t octets[CMSG_SPACE(EXCHANGE_RING_FDS * sizeof(int))];
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
			take_descriptors(&message, fds);
			octets += got;
			len -= (size_t)got;
		} else if (got == 0 || (errno != EAGAIN && errno != EINTR) ||
		           (errno == EAGAIN && poll(&wanted, 1, timeout_ms) == 0)) {
			return false;
		}
	}
	return true;
}
