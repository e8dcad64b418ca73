/* batch.c - each value as it is, without its pointer: a struct, and behind it the bytes it had,
 * padded. Our own memory on both sides, so reading back is a copy and not a parse. */
#include "backend/batch.h"

void
batch_done(struct batch *b)
{
	buf_done(&b->bytes);
	*b = (struct batch){ 0 };
}

void
batch_clear(struct batch *b)
{
	buf_clear(&b->bytes);
	b->read = 0;
}

/* Values stand at multiples of eight. */
static size_t
padded(size_t len)
{
	return (len + 7) & ~(size_t)7;
}

void
batch_put(struct batch *b, const struct value *v)
{
	size_t len = value_has_bytes(v->type) ? v->bytes.len : 0;
	uint8_t *to =
		len < BUF_LIMIT_DEFAULT ? buf_reserve(&b->bytes, sizeof *v + padded(len)) : NULL;

	if (to == NULL) {
		b->bytes.overflow = true;
		return;
	}
	memcpy(to, v, sizeof *v);
	if (len > 0)
		memcpy(to + sizeof *v, v->bytes.at, len);
	buf_commit(&b->bytes, sizeof *v + padded(len));
}

bool
batch_next(struct batch *b, struct value *values, size_t count)
{
	/* A row of no columns takes no bytes and could not be told from the end; nobody asks for
	 * one. */
	if (b->read == b->bytes.len)
		return false;
	for (size_t i = 0; i < count; i++) {
		memcpy(&values[i], b->bytes.at + b->read, sizeof *values);
		b->read += sizeof *values;
		if (!value_has_bytes(values[i].type))
			continue;
		values[i].bytes.at = b->bytes.at + b->read;
		b->read += padded(values[i].bytes.len);
	}
	return true;
}
