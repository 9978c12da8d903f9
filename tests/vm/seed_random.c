/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gives the kernel's random generator octets of its standard input and says that they are random.
 * For a virtual machine without a source (User Mode Linux), in which getrandom(2) would wait for
 * ever; what is made there protects nothing.
 */
#include <fcntl.h>
#include <linux/random.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SEED_LEN 64u

int main(void)
{
	struct {
		struct rand_pool_info head;
		uint8_t octets[SEED_LEN];
	} seed = {.head = {.entropy_count = 8 * SEED_LEN, .buf_size = SEED_LEN}};
	int fd = open("/dev/random", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || read(STDIN_FILENO, seed.octets, SEED_LEN) != SEED_LEN ||
	    ioctl(fd, RNDADDENTROPY, &seed)) {
		perror("seed_random");
		return 1;
	}
	close(fd);
	return 0;
}
