/* tls_wire.c - the BIO between OpenSSL and us: it reads from the bytes that were fed, and writes
 * straight into what will be sent. One copy each way, and no memory of its own. */
#include "io/tls_context.h"
#include "io/tls_wire.h"

static int
on_write(BIO *bio, const char *at, size_t len, size_t *ret_written)
{
	struct tls_wire *w = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (w->out == NULL)
		return 0;
	buf_put(w->out, (struct bytes){ (const uint8_t *)at, len });
	*ret_written = len;
	return !w->out->overflow;
}

static int
on_read(BIO *bio, char *at, size_t room, size_t *ret_len)
{
	struct tls_wire *w = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	struct bytes from = w->held.len > 0
	                            ? bytes_slice(buf_bytes(&w->held), w->held_taken, w->held.len)
	                            : w->in;
	if (from.len == 0) {
		BIO_set_retry_read(bio);
		return 0;
	}
	size_t len = room < from.len ? room : from.len;
	memcpy(at, from.at, len);
	tls_wire_take(w, len);
	*ret_len = len;
	return 1;
}

static long
on_control(BIO *bio, int command, long argument, void *at)
{
	(void)bio, (void)argument, (void)at;
	return command == BIO_CTRL_FLUSH;
}

BIO_METHOD *
tls_wire_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "wire");

	if (m == NULL || BIO_meth_set_write_ex(m, on_write) != 1 ||
	    BIO_meth_set_read_ex(m, on_read) != 1 || BIO_meth_set_ctrl(m, on_control) != 1) {
		BIO_meth_free(m);
		return NULL;
	}
	return m;
}

void
tls_wire_take(struct tls_wire *w, size_t len)
{
	if (w->held.len == 0) {
		w->in = bytes_slice(w->in, len, w->in.len);
		return;
	}
	w->held_taken += len;
	if (w->held_taken == w->held.len) {
		buf_done(&w->held);
		w->held_taken = 0;
	}
}

struct err
tls_wire_hold(struct tls_wire *w)
{
	if (w->in.len == 0)
		return OK;
	buf_put(&w->held, w->in);
	w->in = (struct bytes){ 0 };
	return buf_check(&w->held);
}

struct err
tls_wire_feed(struct tls_wire *w, struct bytes in)
{
	TRY(tls_wire_hold(w));
	w->in = in;
	return w->held.len > 0 ? tls_wire_hold(w) : OK;
}
