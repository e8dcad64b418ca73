/* http_exchange.h - one request under way, and what it shares with the others; for the two files of
 * the client. */
#ifndef FETCH_HTTP_EXCHANGE_H
#define FETCH_HTTP_EXCHANGE_H

#include "base/buf.h"
#include "fetch/curl_api.h"
#include "fetch/http_client.h"
#include "fetch/http_reply_head.h"
#include "io/resolve.h"
#include "fetch/url_guard.h"

enum { KNOWN_HOSTS = 16, KNOWN_S = 60 };

struct http_client {
	struct curl_api curl;
	CURLM *multi;
	struct loop *loop;
	const struct outbound_settings *outbound;
	uv_timer_t timer;    /* libcurl's */
	struct list running; /* exchanges */
	/* Hosts whose addresses libcurl has been given, and until when they are not asked for
	 * again. */
	struct {
		char host[GUARD_HOST_MAX + 1];
		uint16_t port;
		uint64_t until_us;
	} known[KNOWN_HOSTS];
	unsigned known_next;
};

struct http_exchange {
	struct list node;
	struct http_client *client;
	http_done_fn *done;
	void *of;
	uv_timer_t deadline;
	struct buf url, body; /* of the request; owned, wiped */
	bool is_post;
	struct curl_slist *fields;    /* owned, wiped: one may be a credential */
	struct curl_slist *addresses; /* owned */
	struct guarded_url target;
	struct resolving *resolving;
	CURL *easy;
	unsigned redirects;
	bool is_again; /* on a new connection, because the one that was kept had been closed */
	struct reply_head head;
	struct buf answer;
	struct err refused; /* why we broke it off ourselves */
};

/* libcurl has ended its part of it. */
void http_exchange_ended(struct http_exchange *x, CURLcode code);

#endif
