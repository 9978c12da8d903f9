/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One table of forbidden system calls, one list of folders.
 */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "config.h"
#include "log.h"

/* Of a newer header than Debian 12's: Landlock version 3. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

#define READING (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITING                                                                                    \
	(READING | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                 \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |                            \
	 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_TRUNCATE)
#define ON_A_FILE                                                                                  \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE)
/* Everything that version 1 can take away. */
#define VERSION_1 ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)

/* ---- Landlock ---- */

static int ruleset_new(int version, uint64_t *handled)
{
	struct landlock_ruleset_attr attributes = {.handled_access_fs = VERSION_1};

	if (version >= 2)
		attributes.handled_access_fs |= LANDLOCK_ACCESS_FS_REFER;
	if (version >= 3)
		attributes.handled_access_fs |= LANDLOCK_ACCESS_FS_TRUNCATE;
	*handled = attributes.handled_access_fs;
	return (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0);
}

/* What is not there needs no permission; whoever misses it later says so. */
static void allow(int ruleset, uint64_t handled, const char *path, uint64_t access)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = access & handled};
	struct stat status;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return;
	if (!fstat(rule.parent_fd, &status) && !S_ISDIR(status.st_mode))
		rule.allowed_access &= ON_A_FILE;
	/* EBADFD: it is on no file system that Landlock closes. */
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) &&
	    errno != EBADFD)
		log_warning("sandbox: %s stays closed: %s", path, strerror(errno));
	close(rule.parent_fd);
}

/* The folder that a file of ours is in, or will be made in. */
static void allow_folder_of(int ruleset, uint64_t handled, const char *path, uint64_t access)
{
	char folder[PATH_MAX];

	if (!path || path[0] != '/' || strlen(path) >= sizeof(folder))
		return;
	memcpy(folder, path, strlen(path) + 1);
	if (strcmp(dirname(folder), "/") != 0)
		allow(ruleset, handled, folder, access);
	else
		log_warning("sandbox: %s is in the root folder, which is not opened for it; use a "
		            "folder of its own",
		            path);
}

static void allow_system(int ruleset, uint64_t handled)
{
	/* Programs and libraries, what they are told by, and what the kernel tells. */
	static const char *const readable[] = {
		"/usr", "/lib", "/lib64", "/etc/ssl", "/etc/ld.so.cache", "/proc", "/sys"};
	static const char *const devices[] = {"/dev/null", "/dev/urandom", "/dev/random",
	                                      "/dev/craton-hsm", "/dev/kmsg"};

	for (size_t i = 0; i < sizeof(readable) / sizeof(readable[0]); i++)
		allow(ruleset, handled, readable[i], READING);
	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++)
		allow(ruleset, handled, devices[i], READING | LANDLOCK_ACCESS_FS_WRITE_FILE);
}

/* What a program needs of the file system besides the system's. */
typedef void allow_fn(int ruleset, uint64_t handled, const struct config *config);

/* Files that are replaced by others are found by their folder, not by themselves. */
static void allow_agent(int ruleset, uint64_t handled, const struct config *config)
{
	allow_folder_of(ruleset, handled, config->token.storage_path, WRITING);
	allow(ruleset, handled, config->token.storage_path, WRITING);
	allow_folder_of(ruleset, handled, config->audit.log_path, WRITING);
	allow_folder_of(ruleset, handled, config->agent.socket, WRITING);
	allow_folder_of(ruleset, handled, config->agent.device_key, WRITING);
	allow_folder_of(ruleset, handled, config->metrics.listen, WRITING);
	if (getenv("CREDENTIALS_DIRECTORY"))
		allow(ruleset, handled, getenv("CREDENTIALS_DIRECTORY"), READING);
}

static void allow_front(int ruleset, uint64_t handled, const struct config *config)
{
	allow_folder_of(ruleset, handled, config->daemon.tls_cert, READING);
	allow_folder_of(ruleset, handled, config->daemon.tls_key, READING);
	allow_folder_of(ruleset, handled, config->daemon.tls_client_ca, READING);
	allow_folder_of(ruleset, handled, config->daemon.tls_client_crl, READING);
	allow_folder_of(ruleset, handled, config->agent.socket, READING);
	allow_folder_of(ruleset, handled, config->daemon.metrics_listen, WRITING);
	allow_folder_of(ruleset, handled, getenv("PKCS11_PROVIDER_MODULE"), READING);
	allow(ruleset, handled, "/etc/craton-hsm", READING);
	if (getenv("CREDENTIALS_DIRECTORY"))
		allow(ruleset, handled, getenv("CREDENTIALS_DIRECTORY"), READING);
}

static void allow_both(int ruleset, uint64_t handled, const char *file)
{
	char binary[PATH_MAX], *real = realpath(file, NULL);
	ssize_t len = readlink("/proc/self/exe", binary, sizeof(binary) - 1);

	allow_folder_of(ruleset, handled, real, READING);
	free(real);
	if (len > 0) {
		binary[len] = '\0';
		allow_folder_of(ruleset, handled, binary, READING);
	}
}

/* The version in force; 0 with the reason in errno. */
static int enter_landlock(const struct config *config, const char *file, allow_fn *allow_own)
{
	int version =
		(int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	uint64_t handled;
	int ruleset, failed;

	if (version <= 0)
		return 0;
	ruleset = ruleset_new(version, &handled);
	if (ruleset < 0)
		return 0;
	allow_system(ruleset, handled);
	allow_both(ruleset, handled, file);
	allow_own(ruleset, handled, config);
	failed = (int)syscall(SYS_landlock_restrict_self, ruleset, 0);
	close(ruleset);
	return failed ? 0 : version;
}

/* ---- seccomp ---- */

/* By name: the architectures' numbers are libseccomp's, and a call that one does not have is none.
 */
static const char *const forbidden[] = {
	"execve",
	"execveat",
	"ptrace",
	"process_vm_readv",
	"process_vm_writev",
	"kcmp",
	"mount",
	"umount2",
	"pivot_root",
	"chroot",
	"move_mount",
	"open_tree",
	"fsopen",
	"fsconfig",
	"fsmount",
	"fspick",
	"mount_setattr",
	"init_module",
	"finit_module",
	"delete_module",
	"kexec_load",
	"kexec_file_load",
	"reboot",
	"swapon",
	"swapoff",
	"bpf",
	"perf_event_open",
	"userfaultfd",
	"unshare",
	"setns",
	"personality",
	"acct",
	"quotactl",
	"settimeofday",
	"clock_settime",
	"adjtimex",
	"clock_adjtime",
	"iopl",
	"ioperm",
	"open_by_handle_at",
	"syslog",
	"setuid",
	"setgid",
	"setreuid",
	"setregid",
	"setresuid",
	"setresgid",
	"setgroups",
	"setfsuid",
	"setfsgid",
	"capset",
	"sethostname",
	"setdomainname",
	"mknod",
	"mknodat",
	"symlink",
	"symlinkat",
	"pidfd_getfd",
	"vhangup",
	"lookup_dcookie",
};

/* Sockets of these are no business of ours; Unix, netlink, and for metrics loopback are. */
static const uint64_t families[] = {AF_PACKET, AF_ALG,  AF_VSOCK, AF_BLUETOOTH, AF_CAN,
                                    AF_RDS,    AF_TIPC, AF_XDP,   AF_KCM,       AF_NFC};

static bool forbid_all(scmp_filter_ctx filter)
{
	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
		int number = seccomp_syscall_resolve_name(forbidden[i]);

		if (number == __NR_SCMP_ERROR)
			continue;
		if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), number, 0))
			return false;
	}
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1,
		                     SCMP_A0(SCMP_CMP_EQ, families[i])))
			return false;
	}
	return true;
}

static bool enter_seccomp(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int failed = -ENOMEM;
	bool done = false;

	if (filter && forbid_all(filter)) {
		failed = seccomp_load(filter);
		done = !failed;
	}
	seccomp_release(filter);
	errno = -failed;
	return done;
}

/* ---- both ---- */

static int enter(struct sandbox *sandbox, const struct config *config, const char *file,
                 allow_fn *allow_own, char *error, size_t error_len)
{
	bool required = config->security.sandbox == CONFIG_SANDBOX_REQUIRED;

	*sandbox = (struct sandbox){0};
	if (config->security.sandbox == CONFIG_SANDBOX_OFF) {
		log_warning("the sandbox is off ([security].sandbox)");
		return 0;
	}
	sandbox->landlock = enter_landlock(config, file, allow_own);
	if (!sandbox->landlock)
		log_warning("sandbox: no Landlock here (%s); files are only protected by their "
		            "owners and modes",
		            strerror(errno));
	sandbox->seccomp = enter_seccomp();
	if (!sandbox->seccomp)
		log_warning("sandbox: no seccomp here (%s)", strerror(errno));
	if (!required || (sandbox->landlock && sandbox->seccomp))
		return 0;
	snprintf(error, error_len,
	         "[security].sandbox = \"required\" cannot be had here; see the warnings, or set "
	         "\"auto\"");
	return -1;
}

int sandbox_enter(struct sandbox *sandbox, const struct config *config, const char *file,
                  char *error, size_t error_len)
{
	return enter(sandbox, config, file, allow_agent, error, error_len);
}

int sandbox_enter_front(struct sandbox *sandbox, const struct config *config, const char *file,
                        char *error, size_t error_len)
{
	return enter(sandbox, config, file, allow_front, error, error_len);
}
