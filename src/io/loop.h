/* loop.h - the event loop of a process: libuv, one shared read buffer, and work to do before each
 * sleep. */
#ifndef IO_LOOP_H
#define IO_LOOP_H

#include <uv.h>

#include "base/buf.h"
#include "base/list.h"

enum { LOOP_SCRATCH = 65536, LOOP_PLAIN = 16384 /* a record of TLS */ };

/* Called once before the loop next sleeps, after loop_defer(). The place for batching: all that one
 * round of events produced is sent together. */
struct deferred {
	struct list node; /* zeroed: not waiting */
	void (*run)(struct deferred *d);
};

struct loop {
	uv_loop_t uv;
	uv_prepare_t prepare;
	struct list deferred;
	uv_work_t first_job;
	uv_tcp_t first_stream;         /* never opened */
	uint8_t scratch[LOOP_SCRATCH]; /* every read lands here; its content ends with the callback
	                                */
	/* TLS, likewise: what was decrypted, and what was encrypted and is about to be sent. */
	uint8_t plain[LOOP_PLAIN];
	struct buf wire;
};

struct err loop_init(struct loop *l);
/* Runs until loop_stop(), or until nothing is left to wait for. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);
/* For who goes on without it. Its users' handles must be closed, or closing. */
void loop_done(struct loop *l);
/* No effect when already waiting. */
void loop_defer(struct loop *l, struct deferred *d);

/* When this turn of the loop began, monotonic: for what lasts seconds a read of the clock is not
 * needed, and a request would have ten of them. */
static inline uint64_t
loop_now_us(const struct loop *l)
{
	return uv_now(&l->uv) * 1000;
}

/* Starts libuv's pool threads now rather than with the first job: behind a system call filter none
 * can be. */
struct err loop_start_threads(struct loop *l, unsigned count);

/* A negative libuv status as an err. */
struct err loop_err(int status, const char *why);

#endif
