/* SPDX-License-Identifier: Apache-2.0 */
/*
 * craton-hsm-admin audit dump and audit export-*: the records of log files in other forms. They are
 * shown as they stand; whether they can be believed verify-chain says.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "admin.h"
#include "audit_scan.h"

#define HOST_MAX 256u

struct export;
typedef void put_function(struct export *export, const struct audit_line *record, const char *line,
                          size_t len);

struct export
{
	const struct admin_options *options;
	FILE *out;
	put_function *put;
	double since, until; /* seconds since 1970 */
	uint64_t count;
	char host[HOST_MAX];
};

static void put_field(FILE *out, const struct audit_field *field)
{
	fwrite(field->value, 1, field->value_len, out);
}

static double seconds_of(const struct audit_line *record)
{
	const struct audit_field *field = audit_field(record, "timestamp");
	char text[32];

	if (!field || field->value_len >= sizeof(text))
		return 0;
	memcpy(text, field->value, field->value_len);
	text[field->value_len] = '\0';
	return strtod(text, NULL);
}

/* "2026-11-24T15:04:05.123456Z" */
static void put_time(FILE *out, double seconds)
{
	time_t whole = (time_t)seconds;
	char text[32];
	struct tm utc;

	gmtime_r(&whole, &utc);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
	fprintf(out, "%s.%06dZ", text, (int)((seconds - (double)whole) * 1e6));
}

/* ---- forms ---- */

/* The names of what every line says anyway, or nobody reads. */
static bool is_passed_over(const struct audit_field *field)
{
	static const char *const names[] = {"seq",           "timestamp", "operation",
	                                    "result",        "anchor",    "previous_hash",
	                                    "fips_approved", "ckr_number"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strlen(names[i]) == field->name_len &&
		    !memcmp(names[i], field->name, field->name_len))
			return true;
	}
	return field->kind == AUDIT_WORD && field->value_len == 4 &&
	       !memcmp(field->value, "null", 4);
}

static bool is_failure(const struct audit_line *record)
{
	return audit_field_is(record, "result", "Failure");
}

static void put_dump(struct export *export, const struct audit_line *record, const char *line,
                     size_t len)
{
	const struct audit_field *operation = audit_field(record, "operation");
	bool failed = is_failure(record);

	(void)line;
	(void)len;
	fprintf(export->out, "%8llu  ", (unsigned long long)record->sequence);
	put_time(export->out, seconds_of(record));
	fprintf(export->out, "  %s%s%s  ", admin_colour(failed ? COLOUR_BAD : COLOUR_GOOD),
	        failed ? "failed" : "ok    ", admin_colour(COLOUR_PLAIN));
	if (operation)
		put_field(export->out, operation);
	for (size_t i = 0; i < record->count; i++) {
		if (is_passed_over(&record->fields[i]))
			continue;
		fprintf(export->out, " %.*s=", (int)record->fields[i].name_len,
		        record->fields[i].name);
		put_field(export->out, &record->fields[i]);
	}
	fputc('\n', export->out);
}

static void put_ndjson(struct export *export, const struct audit_line *record, const char *line,
                       size_t len)
{
	(void)record;
	fwrite(line, 1, len, export->out);
	fputc('\n', export->out);
}

static void put_json(struct export *export, const struct audit_line *record, const char *line,
                     size_t len)
{
	(void)record;
	fputs(export->count ? ",\n" : "[\n", export->out);
	fwrite(line, 1, len, export->out);
}

/* Structured data: quotes, backslashes and brackets are escaped (RFC 5424 section 6.3.3); the
 * scanner lets none but brackets in. */
static void put_parameter(FILE *out, const struct audit_field *field)
{
	fprintf(out, " %.*s=\"", (int)field->name_len, field->name);
	for (size_t i = 0; i < field->value_len; i++) {
		if (field->value[i] == ']')
			fputc('\\', out);
		fputc(field->value[i], out);
	}
	fputc('"', out);
}

/* Facility 13 (log audit), severity notice or warning. 32473 is the number that RFC 5612 has for
 * examples: we have none of our own. */
static void put_syslog(struct export *export, const struct audit_line *record, const char *line,
                       size_t len)
{
	const struct audit_field *operation = audit_field(record, "operation");
	const struct audit_field *pid = audit_field(record, "pid");
	bool failed = is_failure(record);

	(void)line;
	(void)len;
	fprintf(export->out, "<%d>1 ", 13 * 8 + (failed ? 4 : 5));
	put_time(export->out, seconds_of(record));
	fprintf(export->out, " %s craton-hsm ", export->host);
	if (pid)
		put_field(export->out, pid);
	else
		fputc('-', export->out);
	fputc(' ', export->out);
	if (operation && operation->value_len <= 32 &&
	    !memchr(operation->value, ' ', operation->value_len))
		put_field(export->out, operation);
	else
		fputc('-', export->out);
	fputs(" [audit@32473", export->out);
	for (size_t i = 0; i < record->count; i++)
		put_parameter(export->out, &record->fields[i]);
	fputs("] ", export->out);
	if (operation)
		put_field(export->out, operation);
	fprintf(export->out, " %s\n", failed ? "failed" : "succeeded");
}

/* ---- which records ---- */

static bool read_time(const char *option, const char *text, double absent, double *seconds)
{
	static const char *const forms[] = {"%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d", "%s"};

	*seconds = absent;
	for (size_t i = 0; text && i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct tm utc = {0};
		const char *end = strptime(text, forms[i], &utc);

		if (end && !*end) {
			*seconds = i == 2 ? strtod(text, NULL) : (double)timegm(&utc);
			return true;
		}
	}
	if (text)
		admin_fail("%s %s: YYYY-MM-DD, YYYY-MM-DDTHH:MM:SSZ or seconds since 1970", option,
		           text);
	return !text;
}

static bool is_wanted(const struct export *export, const struct audit_line *record)
{
	const char *operation = export->options->audit.operation;
	const char *result = export->options->audit.result;
	double seconds = seconds_of(record);

	return seconds >= export->since && seconds <= export->until &&
	       (!operation || audit_field_is(record, "operation", operation)) &&
	       (!result || audit_field_is(record, "result", result));
}

/* ---- the verbs ---- */

/* False with a line when the file cannot be read or holds something else. */
static bool export_file(struct export *export, const char *path)
{
	struct audit_reader *reader = audit_reader_open(path);
	struct audit_line record;
	unsigned long long number = 0;
	const char *line;
	bool whole;
	size_t len;
	int got = -1;

	while (reader && (got = audit_reader_next(reader, &line, &len, &whole)) > 0) {
		number++;
		if (!whole || !audit_scan(line, len, &record)) {
			audit_reader_close(reader);
			return !admin_fail("%s:%llu: not an audit record", path, number);
		}
		if (!is_wanted(export, &record))
			continue;
		export->put(export, &record, line, len);
		export->count++;
	}
	if (got < 0)
		admin_fail("%s: %s", path, reader ? "cannot be read" : strerror(errno));
	audit_reader_close(reader);
	return got == 0;
}

static FILE *open_output(const struct admin_options *options)
{
	int fd;

	if (!options->output)
		return stdout;
	fd = open(options->output, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		admin_fail("%s: %s", options->output, strerror(errno));
	return fd < 0 ? NULL : fdopen(fd, "w");
}

static int run(const struct admin_options *options, put_function *put)
{
	struct export export = {.options = options, .put = put};
	bool done = true;

	if (!options->argument_count)
		admin_fail("name the log's files");
	if (!options->argument_count ||
	    !read_time("--since", options->audit.since, 0, &export.since) ||
	    !read_time("--until", options->audit.until, 1e18, &export.until))
		return ADMIN_USAGE;
	if (gethostname(export.host, sizeof(export.host) - 1) || !export.host[0])
		snprintf(export.host, sizeof(export.host), "-");
	export.out = open_output(options);
	if (!export.out)
		return ADMIN_FAILED;
	for (int i = 0; done && i < options->argument_count; i++)
		done = export_file(&export, options->arguments[i]);
	if (put == put_json)
		fputs(export.count ? "\n]\n" : "[]\n", export.out);
	if (ferror(export.out) || fflush(export.out))
		done = !admin_fail("%s: %s", options->output ? options->output : "standard output",
		                   strerror(errno));
	if (options->output)
		fclose(export.out);
	return done ? ADMIN_DONE : ADMIN_FAILED;
}

int admin_audit_dump(const struct admin_options *options)
{
	return run(options, options->json ? put_json : put_dump);
}

int admin_audit_export_json(const struct admin_options *options)
{
	return run(options, put_json);
}

int admin_audit_export_ndjson(const struct admin_options *options)
{
	return run(options, put_ndjson);
}

int admin_audit_export_syslog(const struct admin_options *options)
{
	return run(options, put_syslog);
}
