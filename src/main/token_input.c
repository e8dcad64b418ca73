/* token_input.c - see token_input.h. */
#include "main/token_input.h"

#include "jose/jws.h"
#include "main/input.h"

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct bytes
trimmed(struct bytes text)
{
	while (text.len > 0 && is_blank(text.at[text.len - 1]))
		text.len--;
	while (text.len > 0 && is_blank(text.at[0]))
		text.at++, text.len--;
	return text;
}

struct err
token_input(const char *argument, struct buf *room, struct bytes *ret)
{
	/* More than may be: one that is a little too long is still told to be so. */
	room->limit = JWS_BYTES_MAX + 4096;
	if (strcmp(argument, "-") != 0)
		buf_put_text(room, argument);
	else
		TRY(input_file("-", room));
	if (room->overflow)
		return fail(ERR_LIMIT, "the token is longer than any that is accepted");
	*ret = trimmed(buf_bytes(room));
	return OK;
}
