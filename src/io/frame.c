/* frame.c - the form of a frame: one place for its read and its write. See channel.h. */
#include "io/channel.h"

struct err
channel_frame(struct reader *packet, struct message *ret, bool *ret_found)
{
	struct reader at = *packet;
	uint32_t len;
	uint16_t zero;
	struct message m = { .fd = -1 };

	if (reader_left(packet) == 0) {
		*ret_found = false;
		return OK;
	}
	TRY(read_u32le(&at, &len));
	TRY(read_u16le(&at, &m.type));
	TRY(read_u16le(&at, &zero));
	TRY(read_u64le(&at, &m.id));
	if (len > CHANNEL_BODY_MAX || zero != 0)
		return fail(ERR_PEER, "a process sent a malformed message");
	TRY(read_bytes(&at, len, &m.body));
	*packet = at;
	*ret = m;
	*ret_found = true;
	return OK;
}

void
channel_put_frame(struct buf *out, uint16_t type, uint64_t id, struct bytes body)
{
	buf_put_u32le(out, (uint32_t)body.len);
	buf_put_u16le(out, type);
	buf_put_u16le(out, 0);
	buf_put_u64le(out, id);
	buf_put(out, body);
}
