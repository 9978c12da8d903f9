/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose a slot is: a copied descriptor is worth nothing to others, however they came by it; a
 * persistent slot is its user's; nobody has more than his quota, nor takes from another's.
 */
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "device.h"

#define SLOTS_PER_UID "/sys/module/craton_hsm/parameters/slots_per_uid"
#define QUOTA         20
#define AFTER_EXEC    "after-exec"

struct holding {
	int device;
	uint32_t slot;
};

/* ---- copies of the descriptor */

/* Every call that could touch a slot. */
static void all_calls_fail(int device, uint32_t slot)
{
	struct craton_hsm_info info = {.size = sizeof(info)};
	struct craton_hsm_slot_create create =
		slot_request(CRATON_HSM_GENERATE, CRATON_HSM_GENERIC, NULL, 16);
	struct craton_hsm_slot entry;
	uint8_t key[32] = {0}, untouched[32] = {0};
	uint32_t key_len = sizeof(key), count = 1;

	EXPECT_EQ(call(device, CRATON_HSM_INFO, &info), EPERM);
	EXPECT_EQ(call(device, CRATON_HSM_SLOT_CREATE, &create), EPERM);
	EXPECT_EQ(slot_read(device, slot, key, &key_len), EPERM);
	EXPECT_MEMEQ(key, untouched, sizeof(key));
	EXPECT_EQ(slot_find(device, slot), EPERM);
	EXPECT_EQ(slot_list(device, 0, &entry, &count), EPERM);
	EXPECT_EQ(slot_destroy(device, slot), EPERM);
	EXPECT_EQ(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, device, 0), MAP_FAILED);
	EXPECT_EQ(errno, EPERM);
}

static void forked(void *argument)
{
	struct holding *holding = argument;

	all_calls_fail(holding->device, holding->slot);
	EXPECT_EQ(close(holding->device), 0);
}

TEST(a_forked_child)
{
	struct holding holding = {.device = device_open()};

	holding.slot = slot_generic(holding.device, 0);
	in_child(forked, &holding);
	EXPECT_EQ(slot_find(holding.device, holding.slot), 0);
}

static int descriptor_receive(int socket)
{
	char control[CMSG_SPACE(sizeof(int))], octet;
	struct iovec data = {&octet, 1};
	struct msghdr message = {.msg_iov = &data,
	                         .msg_iovlen = 1,
	                         .msg_control = control,
	                         .msg_controllen = sizeof(control)};
	int descriptor;

	ASSERT_EQ(recvmsg(socket, &message, MSG_CMSG_CLOEXEC), 1);
	ASSERT_NOT_NULL(CMSG_FIRSTHDR(&message));
	memcpy(&descriptor, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(descriptor));
	return descriptor;
}

static void descriptor_send(int socket, int descriptor)
{
	char control[CMSG_SPACE(sizeof(int))] = {0}, octet = 0;
	struct iovec data = {&octet, 1};
	struct msghdr message = {.msg_iov = &data,
	                         .msg_iovlen = 1,
	                         .msg_control = control,
	                         .msg_controllen = sizeof(control)};
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &descriptor, sizeof(descriptor));
	ASSERT_EQ(sendmsg(socket, &message, 0), 1);
}

struct post {
	int socket;
	uint32_t *slot; /* shared */
};

static void sender(void *argument)
{
	struct post *post = argument;
	int device = device_open();

	*post->slot = slot_generic(device, 0);
	descriptor_send(post->socket, device);
}

TEST(a_descriptor_by_message)
{
	int sockets[2];
	struct post post;

	ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	post.socket = sockets[1];
	post.slot = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	in_child(sender, &post);
	/* Its sender is gone; the description lives in the message. */
	int device = descriptor_receive(sockets[0]);

	all_calls_fail(device, *post.slot);
	close(device);
	EXPECT_EQ(slot_find(device_open(), *post.slot), ENOENT);
	EXPECT_EQ(info_of(device_open()).slot_count, 0);
}

static void thief(void *argument)
{
	struct holding *holding = argument;
	int process = syscall(SYS_pidfd_open, getppid(), 0);
	int stolen;

	ASSERT_GE(process, 0);
	stolen = syscall(SYS_pidfd_getfd, process, holding->device, 0);
	ASSERT_GE(stolen, 0);
	all_calls_fail(stolen, holding->slot);
	/* By the name of the descriptor: a description of his own, where the slot is not. */
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", getppid(), holding->device);
	stolen = open(path, O_RDWR);
	ASSERT_GE(stolen, 0);
	EXPECT_EQ(slot_find(stolen, holding->slot), ENOENT);
	EXPECT_EQ(slot_destroy(stolen, holding->slot), ENOENT);
}

TEST(a_thief_who_is_root)
{
	struct holding holding = {.device = device_open()};

	holding.slot = slot_generic(holding.device, 0);
	in_child(thief, &holding);
	EXPECT_EQ(slot_find(holding.device, holding.slot), 0);
}

/* A program that comes by exec is another one, though its number is the same; see main(). */
static int after_exec(int device, uint32_t slot)
{
	if (slot_find(device, slot) != EPERM || slot_destroy(device, slot) != EPERM)
		return 1;
	return mmap(NULL, 4096, PROT_READ, MAP_SHARED, device, 0) == MAP_FAILED && errno == EPERM
	               ? 0
	               : 2;
}

TEST(a_program_after_exec)
{
	char number[16], slot[16];
	int device = device_open(), status;
	pid_t child;

	ASSERT_EQ(fcntl(device, F_SETFD, 0), 0);
	snprintf(number, sizeof(number), "%d", device);
	snprintf(slot, sizeof(slot), "%u", slot_generic(device, 0));
	child = vfork();
	if (!child) {
		execl("/proc/self/exe", "owner", AFTER_EXEC, number, slot, NULL);
		_exit(127);
	}
	ASSERT_EQ(waitpid(child, &status, 0), child);
	EXPECT_EQ(status, 0);
	EXPECT_EQ(info_of(device).slot_count, 1);
}

/* ---- slots and descriptions */

TEST(another_description_of_the_same_process)
{
	int one = device_open(), other = device_open();
	uint32_t slot = slot_generic(one, 0), count = 1;
	struct craton_hsm_slot entry;

	EXPECT_EQ(slot_find(other, slot), ENOENT);
	EXPECT_EQ(slot_destroy(other, slot), ENOENT);
	EXPECT_EQ(slot_list(other, 0, &entry, &count), 0);
	EXPECT_EQ(count, 0);
	EXPECT_EQ(info_of(other).slot_count, 1); /* that counts by user id */
	EXPECT_EQ(slot_find(dup(one), slot), 0); /* a duplicate is the same description */
}

TEST(slots_end_with_their_description)
{
	int device = device_open(), copy = dup(device), other = device_open();

	slot_generic(device, 0);
	close(device);
	EXPECT_EQ(info_of(other).slot_count, 1);
	close(copy);
	EXPECT_EQ(info_of(other).slot_count, 0);
}

static void killed(void *slot)
{
	int device = device_open();

	*(uint32_t *)slot = slot_generic(device, 0);
	signal(SIGCHLD, SIG_DFL);
	if (!fork())
		raise(SIGKILL);
	wait(NULL);
	EXPECT_EQ(slot_find(device, *(uint32_t *)slot), 0);
}

TEST(slots_end_with_their_process)
{
	uint32_t *slot =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	in_child(killed, slot);
	EXPECT_NE(*slot, 0);
	EXPECT_EQ(info_of(device_open()).slot_count, 0);
}

/* ---- persistent slots */

static void user_of_persistent(void *slot)
{
	uint8_t key[32];
	uint32_t key_len = sizeof(key), count = 1;
	struct craton_hsm_slot entry;
	int device = device_open();

	EXPECT_EQ(slot_read(device, *(uint32_t *)slot, key, &key_len), 0);
	EXPECT_EQ(slot_list(device, 0, &entry, &count), 0);
	EXPECT_EQ(count, 1);
	EXPECT_EQ(entry.slot, *(uint32_t *)slot);
	EXPECT_EQ(entry.flags, CRATON_HSM_PERSISTENT);
}

static void somebody(void *slot)
{
	uint8_t key[32];
	uint32_t key_len = sizeof(key), count = 1;
	struct craton_hsm_slot entry;

	become(SOMEBODY);
	int device = device_open();

	EXPECT_EQ(slot_find(device, *(uint32_t *)slot), ENOENT);
	EXPECT_EQ(slot_read(device, *(uint32_t *)slot, key, &key_len), ENOENT);
	EXPECT_EQ(slot_destroy(device, *(uint32_t *)slot), ENOENT);
	EXPECT_EQ(slot_list(device, 0, &entry, &count), 0);
	EXPECT_EQ(count, 0);
	EXPECT_EQ(info_of(device).slot_count, 0);
}

TEST(persistent_slots_are_their_users)
{
	int device = device_open();
	uint32_t slot = slot_generic(device, CRATON_HSM_PERSISTENT);

	close(device);
	in_child(user_of_persistent, &slot);
	in_child(somebody, &slot);
	device = device_open();
	EXPECT_EQ(slot_find(device, slot), 0);
	EXPECT_EQ(slot_destroy(device, slot), 0);
	EXPECT_EQ(info_of(device).slot_count, 0);
}

/* The user id is shown as the caller's namespace calls it. */
static void in_a_namespace(void *slot)
{
	struct craton_hsm_slot description;
	int device;

	ASSERT_EQ(unshare(CLONE_NEWUSER), 0);
	device = open(CRATON_HSM_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(device, 0);
	ASSERT_EQ(slot_describe(device, *(uint32_t *)slot, &description), 0);
	EXPECT_EQ(description.uid, 65534);
	ASSERT_TRUE(file_write("/proc/self/uid_map", "5 0 1"));
	ASSERT_EQ(slot_describe(device, *(uint32_t *)slot, &description), 0);
	EXPECT_EQ(description.uid, 5);
}

TEST(user_ids_of_namespaces)
{
	int device = device_open();
	uint32_t slot = slot_generic(device, CRATON_HSM_PERSISTENT);

	in_child(in_a_namespace, &slot);
	EXPECT_EQ(slot_destroy(device, slot), 0);
}

/* ---- quotas */

static void quota_set(unsigned int slots)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", slots);
	ASSERT_TRUE(file_write(SLOTS_PER_UID, text));
}

static void another_is_not_concerned(void *unused)
{
	(void)unused;
	become(ANOTHER);
	int device = device_open();

	for (uint32_t i = 0; i < QUOTA; i++)
		slot_generic(device, 0);
}

static void uses_it_up(void *unused)
{
	struct craton_hsm_slot_create request =
		slot_request(CRATON_HSM_GENERATE, CRATON_HSM_GENERIC, NULL, 16);
	uint32_t slot = 0;
	int first, second;

	(void)unused;
	become(SOMEBODY);
	first = device_open();
	second = device_open();
	EXPECT_EQ(info_of(first).slot_quota, QUOTA);
	for (uint32_t i = 0; i < QUOTA; i++)
		slot = slot_generic(i % 2 ? first : second, 0);
	EXPECT_EQ(call(first, CRATON_HSM_SLOT_CREATE, &request), EDQUOT);
	EXPECT_EQ(call(second, CRATON_HSM_SLOT_CREATE, &request), EDQUOT);
	EXPECT_EQ(info_of(first).slot_count, QUOTA);
	EXPECT_EQ(slot_destroy(first, slot), 0);
	EXPECT_EQ(call(second, CRATON_HSM_SLOT_CREATE, &request), 0);
	EXPECT_EQ(call(second, CRATON_HSM_SLOT_CREATE, &request), EDQUOT);
	close(second);
	EXPECT_EQ(call(first, CRATON_HSM_SLOT_CREATE, &request), 0);
}

TEST(quota)
{
	unsigned int before = info_of(device_open()).slot_quota;

	quota_set(QUOTA);
	in_child(uses_it_up, NULL);
	in_child(another_is_not_concerned, NULL);
	quota_set(before);
	EXPECT_EQ(info_of(device_open()).slot_count, 0);
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], AFTER_EXEC))
		return after_exec(atoi(argv[2]), atoi(argv[3]));
	return harness_main(argc, argv);
}
