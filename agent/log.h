/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log: lines on standard error, with journald's priority prefix when standard error is the
 * journal (JOURNAL_STREAM). Never a secret, never raw octets of a client: control characters are
 * replaced. One call, one line, one write.
 */
#ifndef AGENT_LOG_H
#define AGENT_LOG_H

#include <stdbool.h>

/* From now on each line is a JSON object: time (seconds since 1970), priority (syslog's), message.
 */
void log_use_json(bool json);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_notice(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
