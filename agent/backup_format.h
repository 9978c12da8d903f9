/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent and craton-hsm-admin both know of a backup (docs/backup.md).
 */
#ifndef AGENT_BACKUP_FORMAT_H
#define AGENT_BACKUP_FORMAT_H

#define BACKUP_HEADER_LEN     176u /* octets, before the first chunk */
#define BACKUP_PASSPHRASE_MIN 16u  /* characters */

#endif
