/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts the system calls of one thread without a tracer: a seccomp filter makes each of them a
 * signal, whose handler counts it and makes it from the one place that the filter lets through.
 * What the vDSO answers is none. Needs x86-64; SYSTEM_CALLS_COUNT says whether it works here.
 */
#ifndef TESTS_SYSTEM_CALLS_H
#define TESTS_SYSTEM_CALLS_H

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

static volatile long system_calls;

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define SYSTEM_CALLS_COUNT 1

/* The number and six arguments as a function of C passes them, to where the kernel wants them. */
__asm__(".pushsection .text\n"
        "system_call_let_through:\n"
        "	movq %rdi, %rax\n"
        "	movq %rsi, %rdi\n"
        "	movq %rdx, %rsi\n"
        "	movq %rcx, %rdx\n"
        "	movq %r8, %r10\n"
        "	movq %r9, %r8\n"
        "	movq 8(%rsp), %r9\n"
        "	syscall\n"
        "system_call_after:\n"
        "	ret\n"
        ".popsection\n");
extern long system_call_let_through(long number, long a, long b, long c, long d, long e, long f);
extern const char system_call_after[];

static void on_system_call(int signal, siginfo_t *info, void *context)
{
	greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)signal;
	(void)info;
	system_calls++;
	registers[REG_RAX] = system_call_let_through(
		registers[REG_RAX], registers[REG_RDI], registers[REG_RSI], registers[REG_RDX],
		registers[REG_R10], registers[REG_R8], registers[REG_R9]);
}

/* From now on, for the rest of this thread. */
static inline bool system_calls_count(void)
{
	const uint64_t after = (uint64_t)(uintptr_t)system_call_after;
	const unsigned int low = offsetof(struct seccomp_data, instruction_pointer), high = low + 4;
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 4, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, low),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)after, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, high),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(after >> 32), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
	};
	const struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};
	const struct sigaction action = {
		.sa_sigaction = on_system_call,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};

	return !sigaction(SIGSYS, &action, NULL) && !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}
#else
#define SYSTEM_CALLS_COUNT 0
static inline bool system_calls_count(void)
{
	return false;
}
#endif

#endif
