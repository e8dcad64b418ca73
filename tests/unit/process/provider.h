/* provider.h - an identity provider that can be told to misbehave: in a process of its own, one
 * more for each connection. */
#ifndef TEST_PROVIDER_H
#define TEST_PROVIDER_H

#include <arpa/inet.h>
#include <stdatomic.h>

#include "alone.h"
#include "base/buf.h"

enum { REQUEST_MAX = 32768, GROUPS_MANY = 900 };

enum mood {
	GOOD,
	TWO_KEYS,
	BAD_KEYS, /* beside a good one */
	NO_KEYS,
	ONLY_BAD_KEYS,
	GARBAGE,
	WRONG_TYPE,
	FAILING,
	HUGE,
	DRIPPING,
	SLOW_INTROSPECTION,
	FOREIGN_METADATA,
	INACTIVE,
	UNAUTHORIZED,
	INVALID_GRANT,
	MANY_GROUPS,
	UNKNOWN_OBJECT,
	NO_GRAPH,
};

/* Shared with the provider. */
static struct {
	_Atomic int mood;
	_Atomic unsigned metadata, keys, introspect, token, groups;
	_Atomic unsigned unexpected; /* requests that were not as they must be */
} * provider;

#define KEY_1                                                                                      \
	"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"k1\","                                     \
	"\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\",\"x5c\":[\"secret words\"]}"
#define KEY_2                                                                                      \
	"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"k2\","                                     \
	"\"x\":\"PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw\"}"
#define BAD_KEY "{\"kty\":\"oct\",\"kid\":\"shared\",\"k\":\"AAAA\"}"
/* A compact JWS that is none of anybody's. */
#define JWS "eyJhbGciOiJFZERTQSJ9.e30.AAAA"

static unsigned port;

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
reply(int fd, int status, const char *type, const char *body)
{
	char head[256];

	(void)snprintf(head, sizeof head,
	               "HTTP/1.1 %d X\r\nContent-Type: %s\r\nRetry-After: 1\r\n"
	               "Connection: close\r\nContent-Length: %zu\r\n\r\n",
	               status, type, strlen(body));
	say(fd, head);
	say(fd, body);
}

static inline void
reply_json(int fd, const char *body)
{
	reply(fd, 200, "application/json", body);
}

/* true: answered badly. */
static inline bool
misbehave(int fd, int mood)
{
	switch (mood) {
	case GARBAGE:
		reply_json(fd, "{\"keys\":[{]}");
		return true;
	case WRONG_TYPE:
		reply(fd, 200, "text/html", "{\"keys\":[" KEY_2 "]}");
		return true;
	case FAILING:
		reply(fd, 500, "application/json", "{}");
		return true;
	case HUGE:
		say(fd, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n");
		for (;;)
			say(fd, "                                                              ");
	case DRIPPING:
		say(fd, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n");
		for (;;) {
			say(fd, " ");
			usleep(50000);
		}
	case UNAUTHORIZED:
		reply(fd, 401, "application/json", "{\"error\":\"invalid_client\"}");
		return true;
	default:
		return false;
	}
}

static inline void
serve_metadata(int fd, const char *request)
{
	char body[512];

	(void)request;
	provider->metadata++;
	(void)snprintf(
		body, sizeof body,
		"{\"issuer\":\"http://127.0.0.1:%u%s\",\"jwks_uri\":\"http://127.0.0.1:%u/keys\","
		"\"token_endpoint\":\"http://127.0.0.1:%u/token\","
		"\"authorization_endpoint\":\"http://127.0.0.1:%u/authorize\"}",
		port, provider->mood == FOREIGN_METADATA ? "/other" : "", port, port, port);
	reply_json(fd, body);
}

static inline void
serve_keys(int fd, const char *request)
{
	(void)request;
	provider->keys++;
	switch ((int)provider->mood) {
	case TWO_KEYS:
		reply_json(fd, "{\"keys\":[" KEY_1 "," KEY_2 "]}");
		break;
	case BAD_KEYS:
		reply_json(fd, "{\"keys\":[" BAD_KEY "," KEY_2 ",7]}");
		break;
	case NO_KEYS:
		reply_json(fd, "{\"keys\":[]}");
		break;
	case ONLY_BAD_KEYS:
		reply_json(fd, "{\"keys\":[" BAD_KEY "]}");
		break;
	default:
		reply_json(fd, "{\"keys\":[" KEY_1 "]}");
	}
}

static inline void
expect(const char *request, const char *text)
{
	if (strcasestr(request, text) == NULL) {
		printf("# missing %s in %s\n", text, request);
		provider->unexpected++;
	}
}

static inline void
serve_introspection(int fd, const char *request)
{
	provider->introspect++;
	if (provider->mood == SLOW_INTROSPECTION) {
		sleep(10);
		return;
	}
	expect(request, "POST ");
	expect(request,
	       "\r\nAuthorization: Basic bWUlM0E6YSUyMHNlY3JldA==\r\n"); /* me%3A:a%20secret */
	expect(request, "\r\n\r\ntoken=an%20opaque%2Btoken&token_type_hint=access_token");
	reply_json(fd, provider->mood == INACTIVE
	                       ? "{\"active\":false,\"sub\":\"x\"}"
	                       : "{\"active\":true, \"sub\":\"caf\\u00e9\",\"n\":1.10}");
}

static inline void
serve_token(int fd, const char *request)
{
	provider->token++;
	if (strstr(request, "grant_type=client_credentials") != NULL) {
		expect(request,
		       "client_id=us&client_secret=from%20the%20environment&scope=http%3A%2F%2F"
		       "127.0.0.1");
		expect(request, "%2F.default");
		reply_json(fd, "{\"access_token\":\"for-graph\",\"expires_in\":3600}");
		return;
	}
	expect(request,
	       "grant_type=authorization_code&code=the-code&redirect_uri=http%3A%2F%2Fus%2F"
	       "callback&code_verifier=the-verifier&client_id=browser");
	if (provider->mood == INVALID_GRANT)
		reply(fd, 400, "application/json", "{\"error\":\"invalid_grant\"}");
	else
		reply_json(fd, "{\"id_token\":\"" JWS "\",\"access_token\":\"opaque\",\"x\":1}");
}

static inline void
serve_groups(int fd, const char *request)
{
	CLEANUP(buf_done) struct buf body = { 0 };

	provider->groups++;
	expect(request,
	       "POST /graph/v1.0/users/22222222-2222-2222-2222-222222222222/getMemberObjects ");
	expect(request, "\r\nAuthorization: Bearer for-graph\r\n");
	expect(request, "\r\n\r\n{\"securityEnabledOnly\":false}");
	if (provider->mood == UNKNOWN_OBJECT || provider->mood == NO_GRAPH) {
		reply(fd, 404, "application/json",
		      provider->mood == NO_GRAPH
		              ? "{}"
		              : "{\"error\":{\"code\":\"Request_ResourceNotFound\"}}");
		return;
	}
	buf_put_text(&body, "{\"value\":[\"a-group\"");
	for (int i = 0; provider->mood == MANY_GROUPS && i < GROUPS_MANY; i++)
		buf_printf(&body, ",\"33333333-3333-3333-3333-33333333%04d\"", i);
	buf_put_text(&body, ",\"named-group\"]}");
	buf_put_u8(&body, '\0');
	reply_json(fd, (const char *)body.at);
}

static const struct {
	const char *path;
	void (*serve)(int fd, const char *request);
} pages[] = {
	{ "/.well-known/openid-configuration", serve_metadata },
	{ "/keys", serve_keys },
	{ "/introspect", serve_introspection },
	{ "/token", serve_token },
	{ "/tenant/11111111-1111-1111-1111-111111111111", serve_token },
	{ "/graph/", serve_groups },
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
			if (i == 0 || !misbehave(fd, provider->mood))
				pages[i].serve(fd, request);
			return;
		}
	provider->unexpected++;
}

static inline pid_t
start_provider(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof address;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(listener, (struct sockaddr *)&address, len) != 0 || listen(listener, 64) != 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &len) != 0)
		exit(1);
	port = ntohs(address.sin_port);
	fflush(stdout);
	pid_t pid = fork();
	if (pid != 0) {
		close(listener);
		return pid;
	}
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

#endif
