/* http_exchange.c - one request: its addresses, its transfer, its redirects, its end. */
#include "fetch/http_exchange.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/macros.h"

enum { ADDRESSES_MAX = 8 };

/* What libcurl says when a transfer failed, for an operator. */
static struct err
err_of(CURLcode code)
{
	static const struct {
		CURLcode code;
		const char *why;
	} reasons[] = {
		{ CURLE_COULDNT_RESOLVE_HOST, "the host's name cannot be resolved" },
		{ CURLE_COULDNT_CONNECT, "the host cannot be connected to" },
		{ CURLE_PEER_FAILED_VERIFICATION, "the host's certificate is not trusted" },
		{ CURLE_SSL_CACERT_BADFILE, "the file of trusted certificates cannot be used" },
		{ CURLE_SSL_CONNECT_ERROR, "TLS with the host fails" },
		{ CURLE_GOT_NOTHING, "the host closes without an answer" },
		{ CURLE_SEND_ERROR, "the connection breaks off" },
		{ CURLE_RECV_ERROR, "the answer breaks off" },
		{ CURLE_PARTIAL_FILE, "the answer breaks off" },
		{ CURLE_OUT_OF_MEMORY, "out of memory" },
	};

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (reasons[i].code == code)
			return fail(ERR_UPSTREAM, reasons[i].why);
	return fail(ERR_UPSTREAM, "the host does not answer as HTTP has it");
}

/* Its end */

static void
fields_drop(struct http_exchange *x)
{
	for (struct curl_slist *f = x->fields; f != NULL; f = f->next)
		explicit_bzero(f->data, strlen(f->data));
	x->client->curl.slist_free_all(x->fields);
	x->fields = NULL;
}

static void
end_transfer(struct http_exchange *x)
{
	const struct curl_api *curl = &x->client->curl;

	if (x->easy == NULL)
		return;
	(void)curl->multi_remove_handle(x->client->multi, x->easy); /* it is in: cannot fail */
	curl->easy_cleanup(x->easy);
	curl->slist_free_all(x->addresses);
	x->easy = NULL;
	x->addresses = NULL;
}

static void
on_deadline_closed(uv_handle_t *handle)
{
	free(container_of((uv_timer_t *)handle, struct http_exchange, deadline));
}

void
http_cancel(struct http_exchange *x)
{
	if (x == NULL)
		return;
	list_remove(&x->node);
	resolve_cancel(x->resolving);
	end_transfer(x);
	fields_drop(x);
	buf_done(&x->url);
	buf_wipe(&x->body);
	buf_wipe(&x->answer);
	reply_head_done(&x->head);
	uv_close((uv_handle_t *)&x->deadline, on_deadline_closed);
}

static void
finish(struct http_exchange *x, struct err e, unsigned status)
{
	const struct http_response r = { .status = status,
		                         .is_json = reply_head_is_json(&x->head),
		                         .body = buf_bytes(&x->answer),
		                         .freshness = reply_head_freshness(&x->head),
		                         .retry_after =
		                                 buf_bytes(&x->head.fields[REPLY_RETRY_AFTER]) };

	/* Off the list, so that an end of the whole client inside the call leaves it to us. */
	list_remove(&x->node);
	end_transfer(x);
	x->done(x->of, e, failed(e) ? NULL : &r);
	http_cancel(x);
}

static void
on_deadline(uv_timer_t *timer)
{
	struct http_exchange *x = container_of(timer, struct http_exchange, deadline);

	finish(x, fail(ERR_UPSTREAM, "the answer did not come in time"), 0);
}

/* Known hosts */

static bool
is_known(const struct http_client *c, const struct guarded_url *u)
{
	for (size_t i = 0; i < KNOWN_HOSTS; i++)
		if (c->known[i].port == u->port && strcmp(c->known[i].host, u->host) == 0)
			return clock_monotonic_us() < c->known[i].until_us;
	return false;
}

static void
forget_host(struct http_client *c, const struct guarded_url *u)
{
	for (size_t i = 0; i < KNOWN_HOSTS; i++)
		if (c->known[i].port == u->port && strcmp(c->known[i].host, u->host) == 0)
			c->known[i].until_us = 0;
}

static void
know_host(struct http_client *c, const struct guarded_url *u)
{
	size_t at = c->known_next;

	for (size_t i = 0; i < KNOWN_HOSTS; i++)
		if (c->known[i].port == u->port && strcmp(c->known[i].host, u->host) == 0)
			at = i;
	if (at == c->known_next)
		c->known_next = (c->known_next + 1) % KNOWN_HOSTS;
	memcpy(c->known[at].host, u->host, sizeof u->host);
	c->known[at].port = u->port;
	c->known[at].until_us = clock_monotonic_us() + KNOWN_S * 1000000ULL;
}

/* Its transfer */

static size_t
on_field(char *at, size_t size, size_t count, void *of)
{
	struct http_exchange *x = of;

	if (reply_head_line(&x->head, (struct bytes){ (const uint8_t *)at, size * count }))
		return size * count;
	x->refused = fail(ERR_PEER, "the head of the answer is too long");
	return 0;
}

static size_t
on_body(char *at, size_t size, size_t count, void *of)
{
	struct http_exchange *x = of;

	buf_put(&x->answer, (struct bytes){ (const uint8_t *)at, size * count });
	if (!x->answer.overflow)
		return size * count;
	x->refused = fail(ERR_PEER, "the answer is larger than 1 MiB");
	return 0;
}

/* The one place where a connection is made: whatever name led here, this is the address. */
static curl_socket_t
on_connect(void *of, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct http_exchange *x = of;

	if (purpose == CURLSOCKTYPE_IPCXN && url_guard_allows(&x->target, &address->addr))
		return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	x->refused = fail(ERR_UPSTREAM, "the host's address is not a public one");
	return CURL_SOCKET_BAD;
}

/* What is the same for every request. */
static const struct {
	CURLoption option;
	long value;
} numbers[] = {
	{ CURLOPT_NOSIGNAL, 1 },       { CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1 },
	{ CURLOPT_FOLLOWLOCATION, 0 }, { CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2 },
	{ CURLOPT_SSL_VERIFYPEER, 1 }, { CURLOPT_SSL_VERIFYHOST, 2 },
};

/* libcurl copies texts, but not the body. */
static bool
set_pointers(struct http_exchange *x)
{
	const struct {
		CURLoption option;
		const void *value;
	} pointers[] = {
		{ CURLOPT_PRIVATE, x },
		{ CURLOPT_URL, x->url.at },
		{ CURLOPT_PROTOCOLS_STR, "http,https" },
		{ CURLOPT_PROXY, "" },
		{ CURLOPT_CAINFO, http_client_ca_file(x->client->outbound) },
		{ CURLOPT_CAPATH, NULL },
		{ CURLOPT_USERAGENT, "gatewarden" },
		{ CURLOPT_HTTPHEADER, x->fields },
		{ CURLOPT_RESOLVE, x->addresses },
		{ CURLOPT_OPENSOCKETDATA, x },
		{ CURLOPT_HEADERDATA, x },
		{ CURLOPT_WRITEDATA, x },
	};

	for (size_t i = 0; i < ARRAY_LEN(pointers); i++)
		if (x->client->curl.easy_setopt(x->easy, pointers[i].option, pointers[i].value) !=
		    CURLE_OK)
			return false;
	return true;
}

static bool
set_body(struct http_exchange *x)
{
	const struct curl_api *curl = &x->client->curl;

	return !x->is_post ||
	       (curl->easy_setopt(x->easy, CURLOPT_POSTFIELDSIZE, (long)x->body.len) == CURLE_OK &&
	        curl->easy_setopt(x->easy, CURLOPT_POSTFIELDS,
	                          x->body.len > 0 ? (const char *)x->body.at : "") == CURLE_OK);
}

static bool
set_transfer(struct http_exchange *x)
{
	const struct curl_api *curl = &x->client->curl;

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (curl->easy_setopt(x->easy, numbers[i].option, numbers[i].value) != CURLE_OK)
			return false;
	return curl->easy_setopt(x->easy, CURLOPT_FRESH_CONNECT, (long)x->is_again) == CURLE_OK &&
	       curl->easy_setopt(x->easy, CURLOPT_OPENSOCKETFUNCTION, on_connect) == CURLE_OK &&
	       curl->easy_setopt(x->easy, CURLOPT_HEADERFUNCTION, on_field) == CURLE_OK &&
	       curl->easy_setopt(x->easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
	       set_pointers(x) && set_body(x);
}

static struct err
begin_transfer(struct http_exchange *x)
{
	const struct curl_api *curl = &x->client->curl;

	x->easy = curl->easy_init();
	if (x->easy == NULL)
		return fail(ERR_SYSTEM, "out of memory");
	if (set_transfer(x) && curl->multi_add_handle(x->client->multi, x->easy) == CURLM_OK)
		return OK;
	curl->easy_cleanup(x->easy);
	x->easy = NULL;
	return fail(ERR_SYSTEM, "libcurl lacks what is needed of it");
}

/* "host:port:address,address": libcurl looks no further. */
static struct err
give_addresses(struct http_exchange *x, const struct addrinfo *list)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	char address[INET6_ADDRSTRLEN];
	unsigned count = 0;

	buf_printf(&text, "%s:%u", x->target.host, x->target.port);
	for (; list != NULL && count < ADDRESSES_MAX; list = list->ai_next) {
		if (!url_guard_allows(&x->target, list->ai_addr) ||
		    getnameinfo(list->ai_addr, list->ai_addrlen, address, sizeof address, NULL, 0,
		                NI_NUMERICHOST) != 0)
			continue;
		buf_printf(&text, list->ai_family == AF_INET6 ? "%c[%s]" : "%c%s",
		           count++ == 0 ? ':' : ',', address);
	}
	if (count == 0)
		return fail(ERR_UPSTREAM, "the host's address is not a public one");
	buf_put_u8(&text, '\0');
	TRY(buf_check(&text));
	x->addresses = x->client->curl.slist_append(NULL, (const char *)text.at);
	return x->addresses != NULL ? OK : fail(ERR_SYSTEM, "out of memory");
}

static void
on_resolved(void *of, struct err e, const struct addrinfo *addresses)
{
	struct http_exchange *x = of;

	x->resolving = NULL;
	if (!failed(e))
		e = give_addresses(x, addresses);
	if (!failed(e))
		e = begin_transfer(x);
	if (failed(e))
		finish(x, e, 0);
	else
		know_host(x->client, &x->target);
}

static struct err
begin_hop(struct http_exchange *x)
{
	struct http_client *c = x->client;
	struct guarded_url target;

	TRY(url_guard_parse(bytes_text((const char *)x->url.at), c->outbound, &target));
	if (x->redirects > 0 && !url_guard_follows(&x->target, &target))
		return fail(ERR_PEER, "the answer leads to another host");
	x->target = target;
	/* libcurl knows by itself what localhost is. */
	if (target.is_address || target.is_loopback || is_known(c, &target))
		return begin_transfer(x);
	return resolve_start(c->loop, target.host, on_resolved, x, &x->resolving);
}

/* Redirects */

static bool
is_redirect(unsigned status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static struct err
redirect(struct http_exchange *x)
{
	const char *to = NULL;

	if (x->is_post)
		return fail(ERR_PEER, "the answer to a POST leads elsewhere");
	if (++x->redirects > FETCH_REDIRECTS_MAX)
		return fail(ERR_PEER, "too many redirects");
	if (x->client->curl.easy_getinfo(x->easy, CURLINFO_REDIRECT_URL, &to) != CURLE_OK ||
	    to == NULL)
		return fail(ERR_PEER, "a redirect leads nowhere");
	buf_clear(&x->url);
	buf_put_text(&x->url, to);
	buf_put_u8(&x->url, '\0');
	TRY(buf_check(&x->url));
	end_transfer(x);
	buf_clear(&x->answer);
	x->is_again = false;
	return begin_hop(x);
}

static void
go_on(struct http_exchange *x, struct err e)
{
	if (failed(e))
		finish(x, e, 0);
}

/* The other end closed a connection that was kept, while we began to use it: nothing was asked yet,
 * or nothing that asking twice would change (RFC 9112 section 9.3.1). */
static bool
was_closed_before(const struct http_exchange *x, CURLcode code)
{
	long connections = 1;

	if (x->is_again || x->answer.len > 0 ||
	    x->client->curl.easy_getinfo(x->easy, CURLINFO_NUM_CONNECTS, &connections) !=
	            CURLE_OK ||
	    connections != 0)
		return false;
	return code == CURLE_SEND_ERROR ||
	       (!x->is_post && (code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING));
}

void
http_exchange_ended(struct http_exchange *x, CURLcode code)
{
	long status = 0;

	if (code != CURLE_OK && was_closed_before(x, code)) {
		x->is_again = true;
		end_transfer(x);
		go_on(x, begin_hop(x));
		return;
	}
	if (code != CURLE_OK) {
		forget_host(x->client, &x->target);
		finish(x, failed(x->refused) ? x->refused : err_of(code), 0);
		return;
	}
	x->refused = OK;
	if (x->client->curl.easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK ||
	    status < 200 || status > 599) {
		finish(x, fail(ERR_PEER, "the answer has no status"), 0);
		return;
	}
	if (!is_redirect((unsigned)status)) {
		finish(x, OK, (unsigned)status);
		return;
	}
	go_on(x, redirect(x));
}

/* Its beginning */

/* With a NUL behind it. */
static void
add_line(struct http_exchange *x, const struct buf *line, struct err *e)
{
	if (!failed(*e))
		*e = buf_check(line);
	if (failed(*e))
		return;
	struct curl_slist *fields = x->client->curl.slist_append(x->fields, (const char *)line->at);
	if (fields == NULL)
		*e = fail(ERR_SYSTEM, "out of memory");
	else
		x->fields = fields;
}

static void
add_field(struct http_exchange *x, const char *name, struct bytes value, struct err *e)
{
	CLEANUP(buf_wipe) struct buf line = { 0 };

	buf_printf(&line, "%s: ", name);
	buf_put(&line, value);
	buf_put_u8(&line, '\0');
	add_line(x, &line, e);
}

/* One line of an operator's file: what libcurl would read as "without this field", or as two lines,
 * is none. */
static bool
is_field(struct bytes line)
{
	size_t colon = bytes_find(line, ':');

	for (size_t i = 0; i < line.len; i++)
		if (line.at[i] < ' ' || line.at[i] > '~' || (i < colon && line.at[i] == ' '))
			return false;
	return colon > 0 && colon + 2 < line.len && line.at[colon + 1] == ' ';
}

static void
add_fields(struct http_exchange *x, struct bytes lines, struct err *e)
{
	while (lines.len > 0 && !failed(*e)) {
		CLEANUP(buf_wipe) struct buf line = { 0 };
		struct bytes one = bytes_slice(lines, 0, bytes_find(lines, '\n'));

		lines = bytes_slice(lines, one.len + 1, lines.len);
		if (one.len > 0 && one.at[one.len - 1] == '\r')
			one.len--;
		if (one.len == 0)
			continue;
		if (!is_field(one)) {
			*e = fail(ERR_CONFIG, "a further field is not a line `Name: value`");
			return;
		}
		buf_put(&line, one);
		buf_put_u8(&line, '\0');
		add_line(x, &line, e);
	}
}

static struct err
fill(struct http_exchange *x, const struct http_request *r)
{
	struct err e = OK;

	buf_put(&x->url, r->url);
	buf_put_u8(&x->url, '\0');
	buf_put(&x->body, r->body);
	TRY(buf_check(&x->url));
	TRY(buf_check(&x->body));
	x->is_post = r->content_type != NULL;
	add_field(x, "Accept", BYTES("application/json"), &e);
	if (x->is_post)
		add_field(x, "Content-Type", bytes_text(r->content_type), &e);
	if (r->authorization.len > 0)
		add_field(x, "Authorization", r->authorization, &e);
	add_fields(x, r->fields, &e);
	return e;
}

struct err
http_start(struct http_client *c, const struct http_request *r, http_done_fn *done, void *of,
           struct http_exchange **ret)
{
	struct http_exchange *x = calloc(1, sizeof *x);

	if (x == NULL)
		return fail(ERR_SYSTEM, "out of memory");
	*x = (struct http_exchange){
		.client = c, .done = done, .of = of, .answer.limit = FETCH_BODY_MAX
	};
	int status = uv_timer_init(&c->loop->uv, &x->deadline);
	if (status != 0) {
		free(x);
		return loop_err(status, "no timer");
	}
	list_append(&c->running, &x->node);
	struct err e = fill(x, r);
	if (!failed(e))
		e = begin_hop(x);
	if (failed(e)) {
		http_cancel(x);
		return e;
	}
	/* Never fails on a live handle. */
	(void)uv_timer_start(&x->deadline, on_deadline, c->outbound->timeout_ms, 0);
	*ret = x;
	return OK;
}
