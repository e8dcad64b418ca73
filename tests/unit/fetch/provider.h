/* provider.h - a provider that misbehaves, each way at a path of its own: in a process of its own,
 * one more for each connection. */
#ifndef TEST_PROVIDER_H
#define TEST_PROVIDER_H

#include <arpa/inet.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macros.h"
#include "test.h"

enum { REQUEST_MAX = 16384 };

static inline void
say(int fd, const char *text)
{
	for (size_t len = strlen(text); len > 0;) {
		ssize_t n = write(fd, text, len);
		if (n <= 0)
			_exit(0);
		text += n;
		len -= (size_t)n;
	}
}

static inline void
say_json(int fd, const char *body)
{
	char head[200];

	snprintf(head, sizeof head,
	         "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
	         strlen(body));
	say(fd, head);
	say(fd, body);
}

static inline void
serve_json(int fd, const char *request)
{
	(void)request;
	say(fd, "HTTP/1.1 200 OK\r\nContent-Type: application/jwk-set+json\r\n"
	        "Cache-Control: max-age=7200\r\nAge: 3\r\nContent-Length: 11\r\n\r\n"
	        "{\"keys\":[]}");
}

/* What was asked, as a JSON string. */
static inline void
serve_echo(int fd, const char *request)
{
	char body[2 * REQUEST_MAX] = "\"";
	size_t len = 1;

	for (; *request != '\0'; request++)
		if (*request != '\r')
			body[len++] = *request == '\n' || *request == '"' ? '|' : *request;
	body[len] = '"';
	say_json(fd, body);
}

static inline void
serve_status(int fd, const char *request)
{
	char head[200];

	snprintf(head, sizeof head,
	         "HTTP/1.1 %.3s X\r\nRetry-After: 77\r\nContent-Length: 0\r\n\r\n",
	         strstr(request, "/status/") + 8);
	say(fd, head);
}

static inline void
serve_type(int fd, const char *request)
{
	(void)request;
	say(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\n{}");
}

static inline void
serve_huge(int fd, const char *request)
{
	static char block[65536];

	(void)request;
	memset(block, ' ', sizeof block - 1);
	say(fd, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n");
	for (;;)
		say(fd, block);
}

static inline void
serve_declared_huge(int fd, const char *request)
{
	(void)request;
	say(fd, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	        "Content-Length: 99999999999\r\n\r\n{");
	for (;;)
		say(fd, "                                                                ");
}

static inline void
serve_huge_head(int fd, const char *request)
{
	(void)request;
	say(fd, "HTTP/1.1 200 OK\r\n");
	for (;;)
		say(fd, "X-Filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n");
}

static inline void
serve_drip(int fd, const char *request)
{
	(void)request;
	say(fd,
	    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n");
	for (;;) {
		say(fd, " ");
		usleep(20000);
	}
}

static inline void
serve_drip_head(int fd, const char *request)
{
	(void)request;
	say(fd, "HTTP/1.1 200 OK\r\n");
	for (;;) {
		say(fd, "X: y\r\n");
		usleep(20000);
	}
}

static inline void
serve_silence(int fd, const char *request)
{
	(void)fd, (void)request;
	sleep(5);
}

static inline void
serve_cut(int fd, const char *request)
{
	(void)request;
	say(fd,
	    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{");
}

static inline void
serve_garbage(int fd, const char *request)
{
	(void)request;
	say(fd, "\x16\x03\x01\x02 not HTTP at all\r\n\r\n");
}

static inline void
serve_nothing(int fd, const char *request)
{
	(void)fd, (void)request;
}

/* Packed so that a decoder would make much of little. */
static inline void
serve_packed(int fd, const char *request)
{
	(void)request;
	say(fd, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n"
	        "Content-Length: 4\r\n\r\n\x1f\x8b\x08\x01");
}

static inline void
serve_cookie(int fd, const char *request)
{
	(void)request;
	say(fd, "HTTP/1.1 302 Found\r\nSet-Cookie: a=b; Path=/\r\nLocation: /echo\r\n"
	        "Content-Length: 0\r\n\r\n");
}

static inline void
redirect_to(int fd, const char *to)
{
	say(fd, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: ");
	say(fd, to);
	say(fd, "\r\n\r\n");
}

static inline void
serve_redirect(int fd, const char *request)
{
	char to[256] = "";

	(void)sscanf(strstr(request, "?to=") + 4, "%255[^ ]", to);
	redirect_to(fd, to);
}

static inline void
serve_user(int fd, const char *request)
{
	(void)request;
	redirect_to(fd, "http://a@127.0.0.1/");
}

/* /hop/3 -> /hop/2 -> … -> /json */
static inline void
serve_hop(int fd, const char *request)
{
	int left = strstr(request, "/hop/")[5] - '0';
	char to[32];

	snprintf(to, sizeof to, left <= 1 ? "/json" : "/hop/%d", left - 1);
	redirect_to(fd, to);
}

static const struct {
	const char *path;
	void (*serve)(int fd, const char *request);
} pages[] = {
	{ "/json", serve_json },
	{ "/echo", serve_echo },
	{ "/status/", serve_status },
	{ "/type", serve_type },
	{ "/huge-head", serve_huge_head },
	{ "/huge", serve_huge },
	{ "/declared", serve_declared_huge },
	{ "/drip-head", serve_drip_head },
	{ "/drip", serve_drip },
	{ "/silence", serve_silence },
	{ "/cut", serve_cut },
	{ "/garbage", serve_garbage },
	{ "/nothing", serve_nothing },
	{ "/packed", serve_packed },
	{ "/cookie", serve_cookie },
	{ "/redirect", serve_redirect },
	{ "/user", serve_user },
	{ "/hop/", serve_hop },
};

static inline void
serve(int fd)
{
	static char request[REQUEST_MAX];
	size_t len = 0;
	const char *end;

	while ((end = strstr(request, "\r\n\r\n")) == NULL) {
		ssize_t n = read(fd, request + len, sizeof request - 1 - len);
		if (n <= 0)
			return;
		len += (size_t)n;
	}
	const char *field = strstr(request, "Content-Length: ");
	size_t body = field != NULL ? (size_t)atol(field + 16) : 0;
	while (len < (size_t)(end + 4 - request) + body) {
		ssize_t n = read(fd, request + len, sizeof request - 1 - len);
		if (n <= 0)
			return;
		len += (size_t)n;
	}
	const char *path = strchr(request, ' ') + 1;
	for (size_t i = 0; i < ARRAY_LEN(pages); i++)
		if (strncmp(path, pages[i].path, strlen(pages[i].path)) == 0) {
			pages[i].serve(fd, request);
			return;
		}
}

static pid_t server;
static unsigned port;

static inline void
start_server(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof address;
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(listener, (struct sockaddr *)&address, len) != 0 || listen(listener, 256) != 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &len) != 0)
		exit(1);
	port = ntohs(address.sin_port);
	fflush(stdout);
	server = fork();
	if (server == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		(void)signal(SIGCHLD, SIG_IGN);
		(void)signal(SIGPIPE, SIG_IGN);
		for (;;) {
			int fd = accept(listener, NULL, NULL);
			if (fork() == 0) {
				(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
				serve(fd);
				_exit(0);
			}
			close(fd);
		}
	}
	close(listener);
}

#endif
