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

void
batch_put(struct batch *b, const struct value *v)
{
	uint64_t bits;

	buf_put_u8(&b->bytes, (uint8_t)v->type);
	switch (v->type) {
	case VALUE_NULL:
		return;
	case VALUE_BOOL:
		buf_put_u8(&b->bytes, v->boolean);
		return;
	case VALUE_INT64:
		buf_put_u64le(&b->bytes, (uint64_t)v->int64);
		return;
	case VALUE_DOUBLE:
		memcpy(&bits, &v->real, sizeof bits);
		buf_put_u64le(&b->bytes, bits);
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
	buf_put_counted(&b->bytes, v->bytes);
}

static struct err
read_value(struct reader *r, struct value *ret)
{
	uint8_t type, byte;
	uint64_t bits;

	TRY(read_u8(r, &type));
	ret->type = (enum value_type)type;
	switch (ret->type) {
	case VALUE_NULL:
		return OK;
	case VALUE_BOOL:
		TRY(read_u8(r, &byte));
		ret->boolean = byte != 0;
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
