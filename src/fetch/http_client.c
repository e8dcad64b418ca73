/* http_client.c - see http_client.h: libcurl's sockets and its timer on the loop
 * (curl_multi_socket_action(3)). What a request is stands in http_exchange.c. */
#include <stdlib.h>

#include "base/macros.h"
#include "fetch/http_exchange.h"

enum { CONNECTIONS_KEPT = 16 };

/* A socket of libcurl's on our loop. */
struct watch {
	uv_poll_t poll;
	struct http_client *client;
	curl_socket_t fd;
};

const char *
http_client_ca_file(const struct outbound_settings *outbound)
{
	return outbound->ca_file != NULL ? outbound->ca_file : "/etc/ssl/certs/ca-certificates.crt";
}

/* Ends what libcurl says has ended. An exchange that ends may start another. */
static void
collect(struct http_client *c)
{
	const CURLMsg *m;
	int left;

	while ((m = c->curl.multi_info_read(c->multi, &left)) != NULL) {
		struct http_exchange *x;
		CURLcode code = m->data.result;

		if (m->msg != CURLMSG_DONE ||
		    c->curl.easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &x) != CURLE_OK)
			continue;
		http_exchange_ended(x, code);
	}
}

static void
act(struct http_client *c, curl_socket_t fd, int events)
{
	int running;

	/* How it went shows in each exchange. */
	(void)c->curl.multi_socket_action(c->multi, fd, events, &running);
	collect(c);
}

static void
on_socket(uv_poll_t *poll, int status, int events)
{
	struct watch *w = container_of(poll, struct watch, poll);
	int flags = (status < 0 ? CURL_CSELECT_ERR : 0) |
	            ((events & UV_READABLE) != 0 ? CURL_CSELECT_IN : 0) |
	            ((events & UV_WRITABLE) != 0 ? CURL_CSELECT_OUT : 0);

	act(w->client, w->fd, flags);
}

static void
on_watch_closed(uv_handle_t *handle)
{
	free(container_of((uv_poll_t *)handle, struct watch, poll));
}

static struct watch *
watch_new(struct http_client *c, curl_socket_t fd)
{
	struct watch *w = calloc(1, sizeof *w);

	if (w == NULL)
		return NULL;
	w->client = c;
	w->fd = fd;
	if (uv_poll_init(&c->loop->uv, &w->poll, fd) != 0) {
		free(w);
		return NULL;
	}
	return w;
}

static int
on_watch(CURL *easy, curl_socket_t fd, int what, void *of, void *watch)
{
	struct http_client *c = of;
	struct watch *w = watch;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (w == NULL)
			return 0;
		(void)c->curl.multi_assign(c->multi, fd, NULL); /* it is there: cannot fail */
		(void)uv_poll_stop(&w->poll);                   /* never fails */
		uv_close((uv_handle_t *)&w->poll, on_watch_closed);
		return 0;
	}
	if (w == NULL && (w = watch_new(c, fd)) == NULL)
		return -1;
	(void)c->curl.multi_assign(c->multi, fd, w); /* as above */
	int events = ((what & CURL_POLL_IN) != 0 ? UV_READABLE : 0) |
	             ((what & CURL_POLL_OUT) != 0 ? UV_WRITABLE : 0);
	return uv_poll_start(&w->poll, events, on_socket) == 0 ? 0 : -1;
}

static void
on_timer(uv_timer_t *timer)
{
	act(container_of(timer, struct http_client, timer), CURL_SOCKET_TIMEOUT, 0);
}

static int
on_timer_wanted(CURLM *multi, long ms, void *of)
{
	struct http_client *c = of;

	(void)multi;
	if (ms < 0)
		return uv_timer_stop(&c->timer);
	return uv_timer_start(&c->timer, on_timer, (uint64_t)ms, 0) == 0 ? 0 : -1;
}

static struct err
open_multi(struct http_client *c)
{
	c->multi = c->curl.multi_init();
	if (c->multi == NULL)
		return fail(ERR_SYSTEM, "out of memory");
	if (c->curl.multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_watch) != CURLM_OK ||
	    c->curl.multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c) != CURLM_OK ||
	    c->curl.multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted) != CURLM_OK ||
	    c->curl.multi_setopt(c->multi, CURLMOPT_TIMERDATA, c) != CURLM_OK ||
	    c->curl.multi_setopt(c->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING) !=
	            CURLM_OK ||
	    c->curl.multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT) !=
	            CURLM_OK)
		return fail(ERR_SYSTEM, "libcurl lacks what is needed of it");
	return OK;
}

static void
on_client_closed(uv_handle_t *handle)
{
	free(container_of((uv_timer_t *)handle, struct http_client, timer));
}

struct err
http_client_new(struct loop *loop, const struct outbound_settings *outbound,
                struct http_client **ret)
{
	struct http_client *c = calloc(1, sizeof *c);

	if (c == NULL)
		return fail(ERR_SYSTEM, "out of memory");
	c->loop = loop;
	c->outbound = outbound;
	list_init(&c->running);
	struct err e = curl_api_load(&c->curl);
	int status = failed(e) ? 0 : uv_timer_init(&loop->uv, &c->timer);
	if (failed(e) || status != 0) {
		free(c);
		return failed(e) ? e : loop_err(status, "no timer");
	}
	e = open_multi(c);
	if (failed(e)) {
		http_client_free(c);
		return e;
	}
	*ret = c;
	return OK;
}

void
http_client_free(struct http_client *c)
{
	if (c == NULL)
		return;
	while (!list_is_empty(&c->running))
		http_cancel(container_of(c->running.next, struct http_exchange, node));
	if (c->multi != NULL)
		(void)c->curl.multi_cleanup(c->multi); /* nothing left to fail over */
	uv_close((uv_handle_t *)&c->timer, on_client_closed);
}

void
http_client_set(struct http_client *c, const struct outbound_settings *outbound)
{
	c->outbound = outbound;
}
