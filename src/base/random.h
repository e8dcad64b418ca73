/* random.h - bytes from the kernel. There is no fallback: without entropy the process ends. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

void random_fill(void *at, size_t len);

#endif
