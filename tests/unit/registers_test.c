/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vector registers that held something hold nothing after they were wiped.
 */
#include "harness.h"

#include "registers.h"

#if defined(__x86_64__)

#define PATTERN 0x6b6579206b657920ull /* "key key " */

/* Fills one register, calls the function, and reads the register, with nothing in between that the
 * compiler could put there. */
#define AFTER_WIPE(number, move, store, words)                                                     \
	__asm__ volatile(move " %1, %%" number "\n\t"                                              \
	                      "sub $256, %%rsp\n\t" /* below it is the red zone */                 \
	                      "call registers_wipe\n\t"                                            \
	                      "add $256, %%rsp\n\t" store " %%" number ", %0"                      \
	                 : "=m"(words)                                                             \
	                 : "m"(pattern)                                                            \
	                 : "memory", "cc", "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9",   \
	                   "r10", "r11", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",   \
	                   "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",    \
	                   "xmm15")

static const uint64_t pattern[8] = {PATTERN, PATTERN, PATTERN, PATTERN,
                                    PATTERN, PATTERN, PATTERN, PATTERN};

static void expect_zero(const uint64_t *words, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		EXPECT_EQ(words[i], 0);
}

TEST(sse)
{
	uint64_t words[2];

	AFTER_WIPE("xmm0", "movups", "movups", words);
	expect_zero(words, 2);
	AFTER_WIPE("xmm7", "movups", "movups", words);
	expect_zero(words, 2);
	AFTER_WIPE("xmm15", "movups", "movups", words);
	expect_zero(words, 2);
}

TEST(avx)
{
	uint64_t words[4];

	if (!__builtin_cpu_supports("avx"))
		SKIP("this processor has no AVX");
	AFTER_WIPE("ymm0", "vmovups", "vmovups", words);
	expect_zero(words, 4);
	AFTER_WIPE("ymm15", "vmovups", "vmovups", words);
	expect_zero(words, 4);
}

TEST(avx512)
{
	uint64_t words[8];

	if (!__builtin_cpu_supports("avx512vl"))
		SKIP("this processor has no AVX-512");
	AFTER_WIPE("zmm0", "vmovups", "vmovups", words);
	expect_zero(words, 8);
	AFTER_WIPE("zmm16", "vmovups", "vmovups", words);
	expect_zero(words, 8);
	AFTER_WIPE("zmm31", "vmovups", "vmovups", words);
	expect_zero(words, 8);
}

#else

TEST(other_processors)
{
	registers_wipe();
	SKIP("registers are read on x86-64 only");
}

#endif

HARNESS_MAIN
