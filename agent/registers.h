/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processor's vector registers. Copies of keys and PINs go through them and stay there until
 * something else does; of a thread that sleeps they are memory of the kernel, which a debugger
 * reads and a core file holds, whatever the arena hides.
 */
#ifndef AGENT_REGISTERS_H
#define AGENT_REGISTERS_H

/* Wipes those of the calling thread. Some ten nanoseconds. */
void registers_wipe(void);

#endif
