/* lexeme.c - see lexeme.h. */
#include "query/lexeme.h"

#include "base/macros.h"

static const size_t NO_END = SIZE_MAX;

static bool
is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool
is_space(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool
is_hex(uint8_t c)
{
	uint8_t low = (uint8_t)(c | 0x20);

	return is_digit(c) || (low >= 'a' && low <= 'f');
}

static bool
starts_word(uint8_t c, enum dialect dialect)
{
	uint8_t low = (uint8_t)(c | 0x20);

	return (low >= 'a' && low <= 'z') || c == '_' || c >= 0x80 ||
	       (c == '#' && dialect == DIALECT_TSQL);
}

static bool
continues_word(uint8_t c, enum dialect dialect)
{
	return starts_word(c, dialect) || is_digit(c) || c == '$' ||
	       (c == '@' && dialect == DIALECT_TSQL);
}

/* The byte at `at`, or 0 past the end: no lexeme holds a NUL. */
static uint8_t
peek(struct bytes text, size_t at)
{
	return at < text.len ? text.at[at] : 0;
}

static size_t
word_end(struct bytes text, size_t at, enum dialect dialect)
{
	while (at < text.len && continues_word(text.at[at], dialect))
		at++;
	return at;
}

/* Comments */

/* Behind the comment that begins at 0. PostgreSQL and SQL Server nest them, SQLite does not. */
static size_t
comment_end(struct bytes text, enum dialect dialect)
{
	size_t depth = 1;

	for (size_t i = 2; i + 1 < text.len; i++) {
		bool closes = text.at[i] == '*' && text.at[i + 1] == '/';
		bool opens =
			text.at[i] == '/' && text.at[i + 1] == '*' && dialect != DIALECT_SQLITE;

		if (!closes && !opens)
			continue;
		depth = opens ? depth + 1 : depth - 1;
		i++;
		if (depth == 0)
			return i + 1;
	}
	return NO_END;
}

static size_t
line_end(struct bytes text, enum dialect dialect)
{
	size_t at = 0;

	while (at < text.len && text.at[at] != '\n' &&
	       (text.at[at] != '\r' || dialect != DIALECT_POSTGRES))
		at++;
	return at;
}

/* false when a comment does not end. */
static bool
skip_blank(struct bytes *rest, enum dialect dialect)
{
	for (;;) {
		size_t len = 0;

		if (is_space(peek(*rest, 0)))
			len = 1;
		else if (peek(*rest, 0) == '-' && peek(*rest, 1) == '-')
			len = line_end(*rest, dialect);
		else if (peek(*rest, 0) == '/' && peek(*rest, 1) == '*')
			len = comment_end(*rest, dialect);
		if (len == NO_END)
			return false;
		if (len == 0)
			return true;
		*rest = bytes_slice(*rest, len, rest->len);
	}
}

/* Quotes */

struct quote {
	uint8_t close;
	bool doubles;   /* a close written twice is one of the text */
	bool backslash; /* a backslash takes the meaning of the next byte */
};

/* Behind the closing quote of the one opened at `at`. */
static size_t
quote_end(struct bytes text, size_t at, struct quote q)
{
	for (size_t i = at + 1; i < text.len; i++) {
		if (q.backslash && text.at[i] == '\\') {
			i++;
			continue;
		}
		if (text.at[i] != q.close)
			continue;
		if (!q.doubles || peek(text, i + 1) != q.close)
			return i + 1;
		i++;
	}
	return NO_END;
}

/* $tag$ text $tag$ */
static size_t
dollar_end(struct bytes text, size_t tag_len)
{
	struct bytes tag = bytes_slice(text, 0, tag_len);

	for (size_t i = tag_len; i + tag_len <= text.len; i++)
		if (text.at[i] == '$' && bytes_equal(bytes_slice(text, i, i + tag_len), tag))
			return i + tag_len;
	return NO_END;
}

/* Length of a dollar quote's tag with both dollars, 0 when there is none. */
static size_t
dollar_tag(struct bytes text)
{
	size_t at = 1;

	if (is_digit(peek(text, 1)))
		return 0;
	while (at < text.len && text.at[at] != '$' && continues_word(text.at[at], DIALECT_POSTGRES))
		at++;
	return peek(text, at) == '$' ? at + 1 : 0;
}

/* Lexemes */

static struct lexeme
lexeme(enum lexeme_kind kind, struct bytes text, size_t end)
{
	if (end == NO_END)
		return (struct lexeme){ .kind = LEXEME_BAD, .text = text };
	return (struct lexeme){ .kind = kind, .text = bytes_slice(text, 0, end) };
}

/* A string with a prefix (N'', x'', E'', U&'') or a quoted name with one (U&""); false when the
 * text begins with an ordinary word. */
static bool
take_prefixed(struct bytes text, enum dialect dialect, struct lexeme *ret)
{
	static const struct {
		enum dialect dialect;
		const char *prefix;
	} rows[] = {
		{ DIALECT_SQLITE, "x'" },    { DIALECT_TSQL, "n'" },
		{ DIALECT_POSTGRES, "e'" },  { DIALECT_POSTGRES, "b'" },
		{ DIALECT_POSTGRES, "x'" },  { DIALECT_POSTGRES, "n'" },
		{ DIALECT_POSTGRES, "u&'" }, { DIALECT_POSTGRES, "u&\"" },
	};

	if (peek(text, 1) != '\'' && peek(text, 1) != '&')
		return false;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bytes prefix = bytes_text(rows[i].prefix);

		if (rows[i].dialect != dialect ||
		    !bytes_equal_nocase(bytes_slice(text, 0, prefix.len), prefix))
			continue;

		uint8_t close = prefix.at[prefix.len - 1];
		struct quote q = { close, true, prefix.at[0] == 'e' };
		*ret = lexeme(close == '"' ? LEXEME_NAME : LEXEME_VALUE, text,
		              quote_end(text, prefix.len - 1, q));
		return true;
	}
	return false;
}

static size_t
number_end(struct bytes text, enum dialect dialect)
{
	bool wide = dialect == DIALECT_POSTGRES; /* 1_000, 0o17, 0b11 */
	uint8_t base = (uint8_t)(peek(text, 1) | 0x20);
	size_t at = 0;

	if (text.at[0] == '0' && (base == 'x' || (wide && (base == 'o' || base == 'b')))) {
		for (at = 2; is_hex(peek(text, at)) || (wide && peek(text, at) == '_'); at++)
			;
		return at;
	}
	while (is_digit(peek(text, at)) || (wide && at > 0 && peek(text, at) == '_'))
		at++;
	if (peek(text, at) == '.')
		for (at++; is_digit(peek(text, at)) || (wide && peek(text, at) == '_'); at++)
			;
	if ((peek(text, at) | 0x20) == 'e') {
		size_t sign = peek(text, at + 1) == '+' || peek(text, at + 1) == '-' ? 2 : 1;

		if (is_digit(peek(text, at + sign)))
			for (at += sign; is_digit(peek(text, at)); at++)
				;
	}
	return at;
}

/* Operators of more than one character, longest first; the rest is one at a time. */
static size_t
mark_end(struct bytes text)
{
	static const char *const marks[] = {
		"->>", "#>>", "!~*", "<=>", "->", "#>", "<=", ">=", "<>", "!=", "||",
		"&&",  "::",  "==",  "<<",  ">>", "@>", "<@", "~*", "!~", ":="
	};

	if (memchr(">=|&:<@*~", peek(text, 1), 9) ==
	    NULL) /* no second character of those below: most often */
		return 1;
	for (size_t i = 0; i < ARRAY_LEN(marks); i++)
		if (bytes_starts(text, bytes_text(marks[i])))
			return strlen(marks[i]);
	return 1;
}

/* $, @, : and ? mean something else in every dialect. Each looks no further than it takes: a scan
 * that is thrown away costs the square of the length. */
static struct lexeme
take_sigil_sqlite(struct bytes text)
{
	size_t end = word_end(text, 1, DIALECT_SQLITE);

	return lexeme(text.at[0] == '?' || end > 1 ? LEXEME_VALUE : LEXEME_MARK, text, end);
}

static struct lexeme
take_sigil_tsql(struct bytes text)
{
	uint8_t c = text.at[0], next = peek(text, 1);

	if (c == '?')
		return lexeme(LEXEME_VALUE, text, 1);
	if (c == '$' && is_digit(next)) /* money */
		return lexeme(LEXEME_VALUE, text,
		              1 + number_end(bytes_slice(text, 1, text.len), DIALECT_TSQL));
	if (!continues_word(next, DIALECT_TSQL))
		return lexeme(LEXEME_MARK, text, 1);
	return lexeme(c == '@' && next != '@' ? LEXEME_VALUE : LEXEME_WORD, text,
	              word_end(text, 1, DIALECT_TSQL));
}

static struct lexeme
take_sigil_postgres(struct bytes text)
{
	size_t tag = text.at[0] == '$' ? dollar_tag(text) : 0, end = 1;

	if (tag != 0)
		return lexeme(LEXEME_VALUE, text, dollar_end(text, tag));
	while (text.at[0] == '$' && is_digit(peek(text, end)))
		end++;
	return end > 1 ? lexeme(LEXEME_VALUE, text, end)
	               : lexeme(LEXEME_MARK, text, mark_end(text));
}

static struct lexeme
take_sigil(struct bytes text, enum dialect dialect)
{
	switch (dialect) {
	case DIALECT_SQLITE:
		return take_sigil_sqlite(text);
	case DIALECT_TSQL:
		return take_sigil_tsql(text);
	case DIALECT_POSTGRES:
		break;
	}
	return take_sigil_postgres(text);
}

static struct lexeme
take_any(struct bytes text, enum dialect dialect)
{
	uint8_t c = peek(text, 0);
	struct lexeme prefixed;

	if (text.len == 0)
		return lexeme(LEXEME_END, text, 0);
	if (c < ' ' || c == 0x7f)
		return lexeme(LEXEME_BAD, text, 1);
	if (c == '\'')
		return lexeme(LEXEME_VALUE, text,
		              quote_end(text, 0, (struct quote){ '\'', true, false }));
	if (c == '"' || (c == '`' && dialect == DIALECT_SQLITE))
		return lexeme(LEXEME_NAME, text,
		              quote_end(text, 0, (struct quote){ c, true, false }));
	if (c == '[' && dialect != DIALECT_POSTGRES) /* SQLite ends it at the first ] */
		return lexeme(
			LEXEME_NAME, text,
			quote_end(text, 0, (struct quote){ ']', dialect == DIALECT_TSQL, false }));
	if (take_prefixed(text, dialect, &prefixed))
		return prefixed;
	if (starts_word(c, dialect))
		return lexeme(LEXEME_WORD, text, word_end(text, 0, dialect));
	if (is_digit(c) || (c == '.' && is_digit(peek(text, 1))))
		return lexeme(LEXEME_VALUE, text, number_end(text, dialect));
	if (c == '$' || c == '@' || (c == ':' && dialect == DIALECT_SQLITE) || c == '?')
		return take_sigil(text, dialect);
	return lexeme(LEXEME_MARK, text, mark_end(text));
}

struct lexeme
lexeme_take(struct bytes *rest, enum dialect dialect)
{
	if (!skip_blank(rest, dialect))
		return (struct lexeme){ .kind = LEXEME_BAD, .text = *rest };

	struct lexeme taken = take_any(*rest, dialect);
	*rest = bytes_slice(*rest, taken.text.len, rest->len);
	return taken;
}
