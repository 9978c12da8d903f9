/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tokens' metadata in the kernel's keyrings, where keyctl(1) shows it with or without the
 * kernel module: a keyring "craton_hsm:SOCKET" in the user keyring of the agent's user, with a key
 * of type "user" for each token and for the locked memory. Labels, states and counts; never key
 * octets.
 *
 * It is brought up to date a second after a change and looked after every minute, by a worker; no
 * request waits for it. The keyring expires when it is not looked after, so that an agent that was
 * killed does not leave its tokens on show.
 */
#ifndef AGENT_KEYRING_H
#define AGENT_KEYRING_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"

#define KEYRING_DELAY_MS 1000u  /* from a change to the keyring */
#define KEYRING_RENEW_MS 60000u /* keyring_post must come this often */

struct agent;
struct keyring;
struct workers;

/*
 * Publishes, or sets *keyring to NULL when [agent].publish_keyring is off or there is no memory. A
 * kernel that refuses is a warning; it is asked again at each renewal. The others take NULL.
 */
void keyring_open(struct keyring **keyring, struct agent *agent);
/* Takes everything out of the kernel again. No worker runs. */
void keyring_close(struct keyring *keyring);
/* Something may have changed. True to the first who says so since the keyring was last brought up
 * to date: he calls keyring_post in KEYRING_DELAY_MS. Any thread, no system call. */
bool keyring_touch(struct keyring *keyring);
/* Has a worker bring it up to date. Any thread. */
void keyring_post(struct keyring *keyring, struct workers *workers);
/*
 * [slow] Makes every key anew, whatever was known to be there. ERROR_NOT_SUPPORTED when it is
 * switched off, ERROR_KEYRING when the kernel refuses.
 */
enum err keyring_publish(struct keyring *keyring, uint32_t *serial, uint32_t *count) MUST_CHECK;

#endif
