/* limit.c - how fast this machine can be at most: a bare libuv loop that answers every request with
 * the same bytes, and bare SQLite doing the benchmark's two reads with nothing around them.
 *
 *   limit hello PORT            serves until it is ended
 *   limit key|list FILE SECONDS prints operations a second
 *
 * A yardstick, not an example: the loop looks for the blank line and for nothing else. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

/* As long as the file that the other servers answer with. */
static const char answer[] =
	"HTTP/1.1 200 OK\r\nContent-Type: text/css; charset=utf-8\r\nContent-Length: 92\r\n\r\n"
	"body { margin: 0; } noscript { display: block; padding: 2em; font-family: sans-serif; } "
	"xxxx";

struct client {
	uv_tcp_t tcp;
	uv_write_t write;
	size_t matched; /* bytes of "\r\n\r\n" seen */
	char in[16384];
	char out[16384];
};

static void
on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *ret)
{
	struct client *c = (struct client *)h;

	(void)suggested;
	*ret = uv_buf_init(c->in, sizeof c->in);
}

static void
on_closed(uv_handle_t *h)
{
	free(h);
}

static size_t
count_requests(struct client *c, const char *at, size_t len)
{
	size_t count = 0;

	for (size_t i = 0; i < len; i++) {
		c->matched = at[i] == "\r\n\r\n"[c->matched] ? c->matched + 1
		             : at[i] == '\r'                 ? 1
		                                             : 0;
		if (c->matched == 4) {
			c->matched = 0;
			count++;
		}
	}
	return count;
}

static void
on_read(uv_stream_t *s, ssize_t len, const uv_buf_t *buf)
{
	struct client *c = (struct client *)s;
	size_t size = sizeof answer - 1, filled = 0;

	if (len < 0) {
		uv_close((uv_handle_t *)s, on_closed);
		return;
	}
	for (size_t n = count_requests(c, buf->base, (size_t)len);
	     n > 0 && filled + size <= sizeof c->out; n--) {
		memcpy(c->out + filled, answer, size);
		filled += size;
	}
	uv_buf_t out = uv_buf_init(c->out, (unsigned)filled);
	int sent = filled > 0 ? uv_try_write(s, &out, 1) : 0;
	if (sent < (int)filled && sent >= 0) {
		out = uv_buf_init(c->out + sent, (unsigned)filled - (unsigned)sent);
		uv_write(&c->write, s, &out, 1, NULL);
	}
}

static void
on_connection(uv_stream_t *listener, int status)
{
	struct client *c = status < 0 ? NULL : calloc(1, sizeof *c);

	if (c == NULL)
		return;
	uv_tcp_init(listener->loop, &c->tcp);
	if (uv_accept(listener, (uv_stream_t *)&c->tcp) != 0) {
		uv_close((uv_handle_t *)&c->tcp, on_closed);
		return;
	}
	uv_tcp_nodelay(&c->tcp, 1);
	uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
}

static int
serve(int port)
{
	uv_tcp_t listener;
	struct sockaddr_in at;

	uv_tcp_init(uv_default_loop(), &listener);
	uv_ip4_addr("127.0.0.1", port, &at);
	if (uv_tcp_bind(&listener, (const struct sockaddr *)&at, 0) != 0 ||
	    uv_listen((uv_stream_t *)&listener, 1024, on_connection) != 0)
		return 1;
	return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}

static double
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int
measure(const char *file, const char *text, double seconds)
{
	sqlite3 *db;
	sqlite3_stmt *statement;
	unsigned long done = 0, bytes = 0, id = 1;
	double begun = now_s(), took;

	if (sqlite3_open_v2(file, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
	    sqlite3_exec(db, "PRAGMA mmap_size = 1073741824", NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(db, text, -1, &statement, NULL) != SQLITE_OK)
		return 1;
	do {
		id = (id * 1103515245 + 12345) % 999983 + 1;
		sqlite3_bind_int64(statement, 1, (sqlite3_int64)id);
		while (sqlite3_step(statement) == SQLITE_ROW)
			for (int i = 0; i < sqlite3_column_count(statement); i++)
				bytes += (unsigned long)sqlite3_column_bytes(statement, i);
		sqlite3_reset(statement);
		done++;
	} while ((took = now_s() - begun) < seconds);
	printf("%.0f\n", (double)done / took);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return bytes == 0;
}

int
main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "hello") == 0)
		return serve(atoi(argv[2]));
	if (argc == 4 && strcmp(argv[1], "key") == 0)
		return measure(argv[2], "SELECT * FROM books WHERE id = ? AND published",
		               atof(argv[3]));
	if (argc == 4 && strcmp(argv[1], "list") == 0)
		return measure(
			argv[2],
			"SELECT * FROM books WHERE id > 0 * ? AND published ORDER BY id LIMIT 100",
			atof(argv[3]));
	fputs("usage: limit hello PORT | key FILE SECONDS | list FILE SECONDS\n", stderr);
	return 2;
}
