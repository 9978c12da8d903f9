/* SPDX-License-Identifier: Apache-2.0 */
/*
 * craton-hsm-integrity: writes and checks integrity sidecars, for builds, packages and operators.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "wire/integrity.h"

static int write_sidecar(const char *path)
{
	if (!integrity_write_sidecar(path))
		return 0;
	fprintf(stderr, "craton-hsm-integrity: %s: %s\n", path, strerror(errno));
	return 1;
}

static int check(const char *path)
{
	enum integrity_result result = integrity_check_file(path);

	printf("%s: %s\n", path, integrity_result_name(result));
	return result != INTEGRITY_OK;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "write"))
		return write_sidecar(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "check"))
		return check(argv[2]);
	fputs("usage: craton-hsm-integrity write|check FILE\n", stderr);
	return 2;
}
