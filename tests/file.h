/* file.h - reads a whole file for a test. */
#ifndef TEST_FILE_H
#define TEST_FILE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* The bytes in an allocation of exactly their size, so that a sanitizer sees a read past the end.
 * Freed by the caller; NULL when the file cannot be read. */
static inline uint8_t *
test_file(const char *path, size_t *ret_len)
{
	FILE *f = fopen(path, "rb");
	if (f == NULL)
		return NULL;

	fseek(f, 0, SEEK_END);
	long len = ftell(f);
	rewind(f);
	uint8_t *at = malloc(len > 0 ? (size_t)len : 1);
	if (at == NULL || len < 0 || fread(at, 1, (size_t)len, f) != (size_t)len)
		abort();
	fclose(f);
	*ret_len = (size_t)len;
	return at;
}

#endif
