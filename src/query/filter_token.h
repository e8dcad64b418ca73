/* filter_token.h - the words of the filter language. For filter_parse.c. */
#ifndef QUERY_FILTER_TOKEN_H
#define QUERY_FILTER_TOKEN_H

#include "base/bytes.h"

enum filter_token_kind {
	TOKEN_END,
	TOKEN_WORD,    /* keyword, function or column; which one its place says */
	TOKEN_LITERAL, /* number, date, time, timestamp, uuid: which one the column says */
	TOKEN_STRING,  /* with its quotes */
	TOKEN_CLAIM,   /* @claims.path */
	TOKEN_OPEN,
	TOKEN_CLOSE,
	TOKEN_COMMA,
	TOKEN_BAD,
};

struct filter_token {
	enum filter_token_kind kind;
	struct bytes text; /* borrowed from the filter */
	size_t offset;
	const char *why; /* TOKEN_BAD: literal */
};

/* The token at or after `offset`; the next one starts at ret.offset + ret.text.len. */
struct filter_token filter_token_at(struct bytes filter, size_t offset);

#endif
