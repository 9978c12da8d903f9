/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the operations that were asked for and prints them as a table or as JSON. What the subject
 * lacks is `n/a` with the code; what failed is said on standard error too and in the exit status.
 */
#ifndef TESTS_BENCH_REPORT_H
#define TESTS_BENCH_REPORT_H

#include <stdio.h>

#include "options.h"
#include "runner.h"

static const char *report_error_name(const struct bench_program *program, unsigned long code)
{
	if (code == RUNNER_DIED)
		return "process died";
	if (code == RUNNER_TIMEOUT)
		return "timeout";
	return program->error_name(code);
}

static const char *report_status(const struct bench_program *program,
                                 const struct bench_error *error)
{
	if (!error->code)
		return "ok";
	return program->is_lacking(error->code) ? "n/a" : "failed";
}

static void report_json_text(const char *text)
{
	putchar('"');
	for (; text && *text; text++) {
		unsigned char octet = (unsigned char)*text;

		if (octet == '"' || octet == '\\')
			printf("\\%c", octet);
		else if (octet < 0x20)
			printf("\\u%04x", octet);
		else
			putchar(octet);
	}
	putchar('"');
}

static void report_json_row(const struct bench_program *program, const char *name,
                            const struct runner_result *result)
{
	printf("    {\"operation\": \"%s\", \"status\": \"%s\", ", name,
	       report_status(program, &result->error));
	if (result->error.code) {
		fputs("\"call\": ", stdout);
		report_json_text(result->error.call);
		fputs(", \"error\": ", stdout);
		report_json_text(report_error_name(program, result->error.code));
		printf(", \"code\": %lu}", result->error.code);
		return;
	}
	printf("\"ops_per_second\": %.2f, \"p50_us\": %.3f, \"p99_us\": %.3f, \"count\": %llu}",
	       result->per_second, histogram_percentile(&result->histogram, 0.5) / 1000,
	       histogram_percentile(&result->histogram, 0.99) / 1000,
	       (unsigned long long)result->histogram.count);
}

static void report_table_row(const struct bench_program *program, const char *name,
                             const struct runner_result *result)
{
	if (result->error.code) {
		printf("%-18s %12s  %s: %s (0x%lx)\n", name, report_status(program, &result->error),
		       result->error.call, report_error_name(program, result->error.code),
		       result->error.code);
		return;
	}
	printf("%-18s %12.1f %12.2f %12.2f\n", name, result->per_second,
	       histogram_percentile(&result->histogram, 0.5) / 1000,
	       histogram_percentile(&result->histogram, 0.99) / 1000);
}

static void report_head(const struct bench_program *program, const struct bench_options *options)
{
	if (!options->json) {
		printf("%-18s %12s %12s %12s\n", "operation", "ops/s", "p50 us", "p99 us");
		return;
	}
	printf("{\n  \"program\": \"%s\",\n  \"module\": ", program->name);
	report_json_text(options->module_path);
	printf(",\n  \"threads\": %u,\n  \"processes\": %u,\n  \"seconds\": %g,\n  \"results\": [",
	       options->threads, options->processes, options->seconds);
}

/* Measures what was asked for; returns the exit status. */
static int report_run(const struct bench_program *program, const struct bench_options *options)
{
	static struct runner_result result;
	const char *separator = "\n";
	int status = 0;

	report_head(program, options);
	for (size_t i = 0; i < program->operation_count; i++) {
		const struct bench_operation *operation = &program->operations[i];

		if (!options_wants(options, operation->name))
			continue;
		runner_measure(program, options, operation, &result);
		if (options->json) {
			fputs(separator, stdout);
			report_json_row(program, operation->name, &result);
			separator = ",\n";
		} else {
			report_table_row(program, operation->name, &result);
		}
		if (result.error.code && !program->is_lacking(result.error.code)) {
			fprintf(stderr, "%s: %s failed: %s: %s (0x%lx)\n", program->name,
			        operation->name, result.error.call,
			        report_error_name(program, result.error.code), result.error.code);
			status = 1;
		}
	}
	if (options->json)
		fputs("\n  ]\n}\n", stdout);
	return status;
}

/* The whole of main(). */
static int report_main(const struct bench_program *program, int argc, char **argv)
{
	struct bench_options options;
	int status = options_parse(program, argc, argv, &options);

	return status >= 0 ? status : report_run(program, &options);
}

#endif
