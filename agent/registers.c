/* SPDX-License-Identifier: Apache-2.0 */
/*
 * By name, since no compiler can be told that they hold a secret. glibc copies through the upper
 * sixteen of AVX-512 where it can, so that these outlive any amount of other code. On processors
 * other than these two kinds nothing is done.
 */
#include "registers.h"

#if defined(__x86_64__)

/* 128 bits of them name the whole register: what is above is cleared, too. */
__attribute__((target("avx512vl"))) static void wipe_upper(void)
{
	__asm__ volatile("vpxord %%xmm16, %%xmm16, %%xmm16\n\t"
	                 "vpxord %%xmm17, %%xmm17, %%xmm17\n\t"
	                 "vpxord %%xmm18, %%xmm18, %%xmm18\n\t"
	                 "vpxord %%xmm19, %%xmm19, %%xmm19\n\t"
	                 "vpxord %%xmm20, %%xmm20, %%xmm20\n\t"
	                 "vpxord %%xmm21, %%xmm21, %%xmm21\n\t"
	                 "vpxord %%xmm22, %%xmm22, %%xmm22\n\t"
	                 "vpxord %%xmm23, %%xmm23, %%xmm23\n\t"
	                 "vpxord %%xmm24, %%xmm24, %%xmm24\n\t"
	                 "vpxord %%xmm25, %%xmm25, %%xmm25\n\t"
	                 "vpxord %%xmm26, %%xmm26, %%xmm26\n\t"
	                 "vpxord %%xmm27, %%xmm27, %%xmm27\n\t"
	                 "vpxord %%xmm28, %%xmm28, %%xmm28\n\t"
	                 "vpxord %%xmm29, %%xmm29, %%xmm29\n\t"
	                 "vpxord %%xmm30, %%xmm30, %%xmm30\n\t"
	                 "vpxord %%xmm31, %%xmm31, %%xmm31" ::
	                         : "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22",
	                           "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29",
	                           "xmm30", "xmm31");
}

#define LOWER                                                                                      \
	"xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",   \
		"xmm11", "xmm12", "xmm13", "xmm14", "xmm15"

__attribute__((target("avx"))) static void wipe_all_of_lower(void)
{
	__asm__ volatile("vzeroall" ::: LOWER);
}

static void wipe_lower(void)
{
	__asm__ volatile("pxor %%xmm0, %%xmm0\n\tpxor %%xmm1, %%xmm1\n\t"
	                 "pxor %%xmm2, %%xmm2\n\tpxor %%xmm3, %%xmm3\n\t"
	                 "pxor %%xmm4, %%xmm4\n\tpxor %%xmm5, %%xmm5\n\t"
	                 "pxor %%xmm6, %%xmm6\n\tpxor %%xmm7, %%xmm7\n\t"
	                 "pxor %%xmm8, %%xmm8\n\tpxor %%xmm9, %%xmm9\n\t"
	                 "pxor %%xmm10, %%xmm10\n\tpxor %%xmm11, %%xmm11\n\t"
	                 "pxor %%xmm12, %%xmm12\n\tpxor %%xmm13, %%xmm13\n\t"
	                 "pxor %%xmm14, %%xmm14\n\tpxor %%xmm15, %%xmm15" ::
	                         : LOWER);
}

void registers_wipe(void)
{
	if (__builtin_cpu_supports("avx"))
		wipe_all_of_lower();
	else
		wipe_lower();
	if (__builtin_cpu_supports("avx512vl"))
		wipe_upper();
}

#elif defined(__aarch64__)

void registers_wipe(void)
{
	__asm__ volatile("movi v0.2d, #0\n\tmovi v1.2d, #0\n\tmovi v2.2d, #0\n\tmovi v3.2d, #0\n\t"
	                 "movi v4.2d, #0\n\tmovi v5.2d, #0\n\tmovi v6.2d, #0\n\tmovi v7.2d, #0\n\t"
	                 "movi v16.2d, #0\n\tmovi v17.2d, #0\n\tmovi v18.2d, #0\n\t"
	                 "movi v19.2d, #0\n\tmovi v20.2d, #0\n\tmovi v21.2d, #0\n\t"
	                 "movi v22.2d, #0\n\tmovi v23.2d, #0\n\tmovi v24.2d, #0\n\t"
	                 "movi v25.2d, #0\n\tmovi v26.2d, #0\n\tmovi v27.2d, #0\n\t"
	                 "movi v28.2d, #0\n\tmovi v29.2d, #0\n\tmovi v30.2d, #0\n\t"
	                 "movi v31.2d, #0" ::
	                         : "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v16", "v17",
	                           "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26",
	                           "v27", "v28", "v29", "v30", "v31");
}

#else

void registers_wipe(void)
{
}

#endif
