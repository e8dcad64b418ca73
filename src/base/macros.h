/* macros.h - the four macros style.md allows besides TRY. */
#ifndef BASE_MACROS_H
#define BASE_MACROS_H

#include <stddef.h>

/* CLEANUP(fn) calls fn(&variable) when the variable leaves its scope. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
