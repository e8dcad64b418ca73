/* err.h - the one error type: what went wrong, and who must act on it. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>
#include <stdint.h>

/* Both compilers can mark a *type* so that ignoring a returned value warns,
 * but in C17 mode each spells it its own way. */
#ifdef __clang__
#define NODISCARD __attribute__((warn_unused_result))
#else
#define NODISCARD [[nodiscard]]
#endif

/* The kind says who must act. It is all a caller may branch on; each protocol
 * has one table from kind to its own status. */
enum err_kind {
	ERR_OK = 0,
	ERR_PEER,      /* malformed: the peer broke the protocol (HTTP 400) */
	ERR_IDENTITY,  /* who is calling is not proven (401) */
	ERR_DENIED,    /* proven, but not allowed (403) */
	ERR_NOT_FOUND, /* no such row, or hidden: no difference to be seen (404) */
	ERR_CONFLICT,  /* state of the data forbids it: unique key, foreign key (409) */
	ERR_INVALID,   /* well-formed, but the values break a rule of the data (422) */
	ERR_LIMIT,     /* a bound of ours was reached: the peer may retry later (429) */
	ERR_UPSTREAM,  /* a backend, issuer or sister process failed (503) */
	ERR_CONFIG,    /* the operator must change something */
	ERR_SYSTEM,    /* a system call failed: see `sys` */
};

/* 16 bytes: travels in two registers, owns nothing, is copied freely. */
struct NODISCARD err {
	enum err_kind kind : 8;
	unsigned code : 24; /* enum of the module that failed: tests, metrics, audit */
	int sys;            /* errno value, or 0 */
	const char *why;    /* string literal: never peer data, never a secret */
};

_Static_assert(sizeof(struct err) == 16, "err must stay in two registers");

#define OK ((struct err){ 0 })

static inline bool
failed(struct err e)
{
	return e.kind != ERR_OK;
}

static inline struct err
fail(enum err_kind kind, const char *why)
{
	return (struct err){ .kind = kind, .why = why };
}

/* The only macro in this code base that hides control flow. */
#define TRY(expr)                                                                                  \
	do {                                                                                       \
		struct err try_err_ = (expr);                                                      \
		if (failed(try_err_))                                                              \
			return try_err_;                                                           \
	} while (0)

#endif
