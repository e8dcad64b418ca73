/* A packet of another process, which may have been taken over: frames inside their packet, and
 * written again they are the same bytes. */
#include <stdlib.h>

#include "io/channel.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = { data, data + size };
	struct buf again = { 0 };
	struct message m;
	bool found = true;

	while (!failed(channel_frame(&r, &m, &found)) && found)
		channel_put_frame(&again, m.type, m.id, m.body);
	if (again.len > size || !bytes_equal(buf_bytes(&again), (struct bytes){ data, again.len }))
		abort();
	buf_done(&again);
	return 0;
}
