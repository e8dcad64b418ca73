/* batch.c - values as bytes: one for the type, then eight of a number or a length and what it counts. */
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

static void
put_little_endian(uint8_t *to, uint64_t bits, size_t len)
{
	for (size_t i = 0; i < len; i++)
		to[i] = (uint8_t)(bits >> (8 * i));
}

/* Room once, then plain stores: a list copies hundreds of values. */
static void
put_number(struct buf *b, enum value_type type, uint64_t bits)
{
	uint8_t *to = buf_reserve(b, 1 + sizeof bits);

	if (to == NULL)
		return;
	to[0] = (uint8_t)type;
	put_little_endian(to + 1, bits, sizeof bits);
	buf_commit(b, 1 + sizeof bits);
}

static void
put_counted(struct buf *b, enum value_type type, struct bytes bytes)
{
	uint8_t *to = bytes.len <= UINT32_MAX ? buf_reserve(b, 5 + bytes.len) : NULL;

	if (to == NULL) {
		b->overflow = true;
		return;
	}
	to[0] = (uint8_t)type;
	put_little_endian(to + 1, bytes.len, 4);
	if (bytes.len > 0)
		memcpy(to + 5, bytes.at, bytes.len);
	buf_commit(b, 5 + bytes.len);
}

void
batch_put(struct batch *b, const struct value *v)
{
	uint64_t bits;

	switch (v->type) {
	case VALUE_NULL:
		buf_put_u8(&b->bytes, VALUE_NULL);
		return;
	case VALUE_BOOL:
		put_number(&b->bytes, v->type, v->boolean);
		return;
	case VALUE_INT64:
		put_number(&b->bytes, v->type, (uint64_t)v->int64);
		return;
	case VALUE_DOUBLE:
		memcpy(&bits, &v->real, sizeof bits);
		put_number(&b->bytes, v->type, bits);
		return;
	case VALUE_DECIMAL:
	case VALUE_TEXT:
	case VALUE_BYTES:
	case VALUE_DATE:
	case VALUE_TIME:
	case VALUE_TIMESTAMP:
	case VALUE_UUID:
	case VALUE_JSON:
		break;
	}
	put_counted(&b->bytes, v->type, v->bytes);
}

static struct err
read_value(struct reader *r, struct value *ret)
{
	uint8_t type;
	uint64_t bits;

	TRY(read_u8(r, &type));
	ret->type = (enum value_type)type;
	switch (ret->type) {
	case VALUE_NULL:
		return OK;
	case VALUE_BOOL:
		TRY(read_u64le(r, &bits));
		ret->boolean = bits != 0;
		return OK;
	case VALUE_INT64:
		TRY(read_u64le(r, &bits));
		ret->int64 = (int64_t)bits;
		return OK;
	case VALUE_DOUBLE:
		TRY(read_u64le(r, &bits));
		memcpy(&ret->real, &bits, sizeof bits);
		return OK;
	case VALUE_DECIMAL:
	case VALUE_TEXT:
	case VALUE_BYTES:
	case VALUE_DATE:
	case VALUE_TIME:
	case VALUE_TIMESTAMP:
	case VALUE_UUID:
	case VALUE_JSON:
		break;
	}
	return read_counted(r, SIZE_MAX, &ret->bytes);
}

bool
batch_next(struct batch *b, struct value *values, size_t count)
{
	struct reader r = reader_of(bytes_slice(buf_bytes(&b->bytes), b->read, b->bytes.len));

	/* A row of no columns takes no bytes and could not be told from the end; nobody asks for one. */
	if (reader_left(&r) == 0)
		return false;
	for (size_t i = 0; i < count; i++)
		if (failed(read_value(&r, &values[i])))
			return false;
	b->read = b->bytes.len - reader_left(&r);
	return true;
}
