/* fingerprint.c - see fingerprint.h. */
#include "query/fingerprint.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "base/macros.h"
#include "query/lexeme.h"

static const size_t NOWHERE = SIZE_MAX;

/* Lexemes are written with one space between; lists are folded where they close. */
struct normaliser {
	struct buf *out;
	enum dialect dialect;
	size_t start;      /* of our text in out */
	size_t end;        /* behind the last lexeme that is no semicolon */
	size_t list;       /* where an open ( stands that so far holds values only, or NOWHERE */
	bool value_next;   /* in that list */
	bool list_is_row;  /* it stands behind VALUES */
	size_t row;        /* end of the last folded row of VALUES, or NOWHERE */
	bool sign_next;    /* a + or - here would be a sign */
	bool after_values; /* the last lexeme was VALUES */
};

static void
put_gap(struct normaliser *n)
{
	if (n->out->len != n->start)
		buf_put_u8(n->out, ' ');
}

static void
put_lower(struct buf *out, struct bytes text)
{
	uint8_t *to = buf_reserve(out, text.len);

	if (to == NULL)
		return;
	for (size_t i = 0; i < text.len; i++)
		to[i] = text.at[i] >= 'A' && text.at[i] <= 'Z' ? (uint8_t)(text.at[i] | 0x20)
		                                               : text.at[i];
	buf_commit(out, text.len);
}

/* [a"b] -> "a""b". A closing quote inside is kept as it was written, twice. */
static void
put_quoted(struct buf *out, struct bytes text)
{
	size_t prefix = text.at[0] == 'u' || text.at[0] == 'U' ? 2 : 0; /* U&"" */
	struct bytes inner = bytes_slice(text, prefix + 1, text.len - 1);
	bool plain = text.at[prefix] == '"';

	put_lower(out, bytes_slice(text, 0, prefix));
	buf_put_u8(out, '"');
	while (!plain && bytes_find(inner, '"') != inner.len) {
		size_t until = bytes_find(inner, '"') + 1;

		buf_put(out, bytes_slice(inner, 0, until));
		buf_put_u8(out, '"');
		inner = bytes_slice(inner, until, inner.len);
	}
	buf_put(out, inner);
	buf_put_u8(out, '"');
}

/* Words a value stands behind, so that a sign there is part of it. */
static bool
comes_before_value(struct bytes word)
{
	static const char words[][10] = { "select",   "where",  "and",    "or",     "not",
		                          "between",  "when",   "then",   "else",   "limit",
		                          "like",     "offset", "having", "return", "by",
		                          "on",       "in",     "top",    "set",    "case",
		                          "distinct", "all" };
	uint8_t first = word.at[0] | 0x20;

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if ((uint8_t)words[i][0] == first && bytes_equal_nocase(word, bytes_text(words[i])))
			return true;
	return false;
}

/* ( and the values so far become (?). Rows after the first vanish with the comma before them. */
static void
fold_list(struct normaliser *n)
{
	static const size_t comma = sizeof " , " - 1;
	bool next_row = n->row != NOWHERE && n->list == n->row + comma;

	if (n->out->overflow)
		return;
	n->out->len = next_row ? n->row : n->list;
	if (!next_row)
		buf_put_text(n->out, "(?)");
	n->row = n->list_is_row || next_row ? n->out->len : NOWHERE;
	n->list = NOWHERE;
}

static void
put_mark(struct normaliser *n, struct bytes text)
{
	uint8_t c = text.len == 1 ? text.at[0] : 0;

	n->sign_next = c != ')' && c != ']' && c != '.';
	if (c == ')' && n->list != NOWHERE && !n->value_next) {
		fold_list(n);
		return;
	}
	if (c == ',' && n->list != NOWHERE && !n->value_next)
		n->value_next = true;
	else
		n->list = NOWHERE;
	put_gap(n);
	if (c == '(') {
		n->list = n->out->len;
		n->value_next = true;
		n->list_is_row = n->after_values;
	}
	buf_put(n->out, text);
}

static void
put_value(struct normaliser *n)
{
	if (n->list != NOWHERE && n->value_next)
		n->value_next = false;
	else
		n->list = NOWHERE;
	put_gap(n);
	buf_put_u8(n->out, '?');
	n->sign_next = false;
}

static void
put_name(struct normaliser *n, struct lexeme name)
{
	n->list = NOWHERE;
	put_gap(n);
	if (name.kind == LEXEME_WORD)
		put_lower(n->out, name.text);
	else
		put_quoted(n->out, name.text);
	n->sign_next = name.kind == LEXEME_WORD && comes_before_value(name.text);
}

/* `-1` and `- 1` are one literal where no left operand stands. */
static bool
is_sign(const struct normaliser *n, struct lexeme mark, struct bytes rest)
{
	if (!n->sign_next || (!bytes_is(mark.text, "-") && !bytes_is(mark.text, "+")))
		return false;

	struct lexeme next = lexeme_take(&rest, n->dialect);
	return next.kind == LEXEME_VALUE &&
	       ((next.text.at[0] >= '0' && next.text.at[0] <= '9') || next.text.at[0] == '.');
}

static void
put_lexeme(struct normaliser *n, struct lexeme taken, struct bytes rest)
{
	if (taken.kind == LEXEME_VALUE)
		put_value(n);
	else if (taken.kind != LEXEME_MARK)
		put_name(n, taken);
	else if (!is_sign(n, taken, rest))
		put_mark(n, taken.text);
	n->after_values =
		taken.kind == LEXEME_WORD && bytes_equal_nocase(taken.text, BYTES("values"));
	if (!bytes_is(taken.text, ";"))
		n->end = n->out->len;
}

bool
sql_normalise(struct bytes text, enum dialect dialect, struct buf *out)
{
	struct normaliser n = { .out = out,
		                .dialect = dialect,
		                .start = out->len,
		                .end = out->len,
		                .list = NOWHERE,
		                .row = NOWHERE,
		                .sign_next = true };

	for (;;) {
		struct lexeme taken = lexeme_take(&text, dialect);

		if (taken.kind == LEXEME_BAD)
			return false;
		if (taken.kind == LEXEME_END)
			break;
		put_lexeme(&n, taken, text);
	}
	if (!out->overflow)
		out->len = n.end;
	return true;
}

static void
mac_free(EVP_MAC **mac)
{
	EVP_MAC_free(*mac);
}

static void
context_free(EVP_MAC_CTX **context)
{
	EVP_MAC_CTX_free(*context);
}

/* HMAC-SHA-256 of prefix and text, cut to FINGERPRINT_LEN. */
static bool
keyed_hash(struct bytes key, struct bytes prefix, struct bytes text, uint8_t ret[FINGERPRINT_LEN])
{
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
		                                                       digest, 0),
		                      OSSL_PARAM_construct_end() };
	CLEANUP(mac_free) EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	CLEANUP(context_free) EVP_MAC_CTX *context = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);
	uint8_t whole[32];
	size_t len = 0;

	/* OpenSSL takes a NULL key for "the one set before": an empty key is still a key. */
	if (context == NULL ||
	    !EVP_MAC_init(context, key.len == 0 ? (const uint8_t *)"" : key.at, key.len, params) ||
	    !EVP_MAC_update(context, prefix.at, prefix.len) ||
	    !EVP_MAC_update(context, text.at, text.len) ||
	    !EVP_MAC_final(context, whole, &len, sizeof whole) || len != sizeof whole)
		return false;
	memcpy(ret, whole, FINGERPRINT_LEN);
	return true;
}

void
sql_fingerprint(struct bytes text, enum dialect dialect, struct bytes key,
                uint8_t ret[FINGERPRINT_LEN])
{
	CLEANUP(buf_done) struct buf normal = { 0 };
	bool readable = sql_normalise(text, dialect, &normal) && !failed(buf_check(&normal));
	struct bytes hashed = readable ? buf_bytes(&normal) : text;

	if (!keyed_hash(key, readable ? BYTES("sql/1\n") : BYTES("raw/1\n"), hashed, ret))
		memset(ret, 0, FINGERPRINT_LEN);
}
