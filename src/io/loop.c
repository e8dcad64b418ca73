/* loop.c - see loop.h. */
#include "io/loop.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/macros.h"

static void
on_prepare(uv_prepare_t *handle)
{
	struct loop *l = container_of(handle, struct loop, prepare);

	/* What a deferred call defers runs in this round too, before the sleep. */
	while (!list_is_empty(&l->deferred)) {
		struct deferred *d = container_of(l->deferred.next, struct deferred, node);

		list_remove(&d->node);
		d->run(d);
	}
}

struct err
loop_init(struct loop *l)
{
	int status = uv_loop_init(&l->uv);

	if (status == 0)
		status = uv_prepare_init(&l->uv, &l->prepare);
	if (status == 0)
		status = uv_prepare_start(&l->prepare, on_prepare);
	/* With its first stream libuv opens /dev/null, once; inside a sandbox it could not, and
	 * would try again for each connection: 2 % of the CPU of a new one. */
	if (status == 0)
		status = uv_tcp_init(&l->uv, &l->first_stream);
	if (status != 0)
		return loop_err(status, "the event loop cannot start");
	/* It alone is no reason to go on. */
	uv_unref((uv_handle_t *)&l->prepare);
	list_init(&l->deferred);
	return OK;
}

void
loop_run(struct loop *l)
{
	(void)uv_run(&l->uv, UV_RUN_DEFAULT); /* the count of live handles does not matter here */
}

void
loop_stop(struct loop *l)
{
	uv_stop(&l->uv);
}

void
loop_done(struct loop *l)
{
	uv_close((uv_handle_t *)&l->prepare, NULL);
	uv_close((uv_handle_t *)&l->first_stream, NULL);
	loop_run(l);                 /* closing ends there */
	(void)uv_loop_close(&l->uv); /* nothing is left that could keep it */
	buf_done(&l->wire);
}

void
loop_defer(struct loop *l, struct deferred *d)
{
	if (d->node.next == NULL)
		list_append(&l->deferred, &d->node);
}

static void
no_work(uv_work_t *work)
{
	(void)work;
}

static void
no_work_done(uv_work_t *work, int status)
{
	(void)work, (void)status;
}

struct err
loop_start_threads(struct loop *l, unsigned count)
{
	char text[16];
	struct buf number = { .at = (uint8_t *)text, .room = sizeof text, .limit = sizeof text };

	buf_printf(&number, "%u", count);
	if (setenv("UV_THREADPOOL_SIZE", text, 1) != 0)
		return fail(ERR_SYSTEM, "out of memory");
	/* The first job starts them all. */
	int status = uv_queue_work(&l->uv, &l->first_job, no_work, no_work_done);
	return status == 0 ? OK : loop_err(status, "threads cannot be started");
}

struct err
loop_err(int status, const char *why)
{
	return (struct err){ .kind = ERR_SYSTEM, .sys = -status, .why = why };
}
