/* filter_token.c - see filter_token.h. */
#include "query/filter_token.h"

#include "query/literal.h"

static bool
is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* Letters of every script count: the text is known to be UTF-8, and a name is looked up exactly. */
static bool
is_word(uint8_t c)
{
	uint8_t low = (uint8_t)(c | 0x20);

	return (low >= 'a' && low <= 'z') || is_digit(c) || c == '_' || c >= 0x80;
}

static bool
is_literal(uint8_t c)
{
	return is_word(c) || c == '.' || c == ':' || c == '-' || c == '+';
}

static bool
is_claim(uint8_t c)
{
	return (is_word(c) && c < 0x80) || c == '.' || c == ':' || c == '-' || c == '/';
}

static struct bytes
run(struct bytes rest, bool (*belongs)(uint8_t))
{
	size_t len = 0;

	while (len < rest.len && belongs(rest.at[len]))
		len++;
	return bytes_slice(rest, 0, len);
}

static struct filter_token
bad(struct bytes rest, size_t len, const char *why)
{
	return (struct filter_token){ .kind = TOKEN_BAD,
		                      .text = bytes_slice(rest, 0, len),
		                      .why = why };
}

static struct filter_token
read_string(struct bytes rest)
{
	for (size_t i = 1; i < rest.len; i++) {
		if (rest.at[i] != '\'')
			continue;
		if (i + 1 == rest.len || rest.at[i + 1] != '\'')
			return (struct filter_token){ .kind = TOKEN_STRING,
				                      .text = bytes_slice(rest, 0, i + 1) };
		i++;
	}
	return bad(rest, rest.len,
	           "a closing quote was expected; a quote inside text is written twice");
}

static struct filter_token
read_claim(struct bytes rest)
{
	static const char why[] = "@claims. and the name of a claim was expected";
	struct bytes prefix = BYTES("@claims.");

	if (!bytes_starts(rest, prefix))
		return bad(rest, 1 + run(bytes_slice(rest, 1, rest.len), is_claim).len, why);

	size_t len = prefix.len + run(bytes_slice(rest, prefix.len, rest.len), is_claim).len;
	for (size_t i = prefix.len; i <= len; i++)
		if ((i == len || rest.at[i] == '.') && rest.at[i - 1] == '.')
			return bad(rest, len, why);
	return (struct filter_token){ .kind = TOKEN_CLAIM, .text = bytes_slice(rest, 0, len) };
}

static struct filter_token
read_word(struct bytes rest)
{
	struct bytes word = run(rest, is_word);
	struct bytes wide = run(rest, is_literal);

	/* A uuid may begin with a letter; no name holds a dash. */
	if (literal_is_uuid(wide))
		return (struct filter_token){ .kind = TOKEN_LITERAL, .text = wide };
	return (struct filter_token){ .kind = TOKEN_WORD, .text = word };
}

static struct filter_token
read_token(struct bytes rest)
{
	static const struct {
		uint8_t byte;
		enum filter_token_kind kind;
	} marks[] = { { '(', TOKEN_OPEN }, { ')', TOKEN_CLOSE }, { ',', TOKEN_COMMA } };

	if (rest.len == 0)
		return (struct filter_token){ .kind = TOKEN_END, .text = rest };
	for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
		if (rest.at[0] == marks[i].byte)
			return (struct filter_token){ .kind = marks[i].kind,
				                      .text = bytes_slice(rest, 0, 1) };
	if (rest.at[0] == '\'')
		return read_string(rest);
	if (rest.at[0] == '@')
		return read_claim(rest);
	if (is_digit(rest.at[0]) || (rest.at[0] == '-' && rest.len > 1 && is_digit(rest.at[1])))
		return (struct filter_token){ .kind = TOKEN_LITERAL,
			                      .text = run(rest, is_literal) };
	if (is_word(rest.at[0]))
		return read_word(rest);
	return bad(rest, 1, "this character has no meaning in a filter");
}

struct filter_token
filter_token_at(struct bytes filter, size_t offset)
{
	while (offset < filter.len && (filter.at[offset] == ' ' ||
	                               (filter.at[offset] >= '\t' && filter.at[offset] <= '\r')))
		offset++;

	struct filter_token token = read_token(bytes_slice(filter, offset, filter.len));
	token.offset = offset;
	return token;
}
