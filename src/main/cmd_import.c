/* cmd_import.c - see cmd_import.h. Writes nothing but standard output, and that only when the
 * configuration is one that `gatewarden check` takes. */
#include "main/cmd_import.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "config/yaml_json.h"
#include "fetch/http_client.h"
#include "main/arguments.h"
#include "main/input.h"
#include "main/loaded.h"
#include "main/openapi_write.h"

const char cmd_import_usage[] =
	"  URL|FILE           the document, OpenAPI 3.0 or 3.1 in JSON or YAML; `-` is standard "
	"input\n"
	"  --backend-url URL  where the service is (default: the server in the document, else the "
	"host of URL)\n"
	"  --prefix /PATH     callers put this before every path; the service does not see it\n";

static const char default_backend[] = "http://127.0.0.1:8000";

struct import {
	const char *source, *backend, *prefix;
	struct buf text, json, out; /* owned */
	struct openapi document;
};

static void
import_done(struct import *i)
{
	buf_done(&i->text);
	buf_done(&i->json);
	buf_done(&i->out);
	openapi_done(&i->document);
}

static int
take_arguments(int argc, char **argv, struct import *ret)
{
	struct arguments a;

	arguments_init(&a, argc, argv);
	while (arguments_next(&a)) {
		const char **to = arguments_is(&a, "--backend-url") ? &ret->backend
		                  : arguments_is(&a, "--prefix")    ? &ret->prefix
		                                                    : NULL;
		if (a.option != NULL && to == NULL)
			return usage_error("import", "there is no such option", a.option);
		if (a.option != NULL && !arguments_value(&a, to))
			return usage_error("import", "the option needs a value", a.option);
		if (a.option == NULL && ret->source != NULL)
			return usage_error("import", "one document at a time", a.plain);
		if (a.option == NULL)
			ret->source = a.plain;
	}
	if (ret->source == NULL)
		return usage_error("import", "say which document: a URL or a file", NULL);
	if (ret->prefix != NULL && ret->prefix[0] != '/')
		return usage_error("import", "--prefix begins with /", ret->prefix);
	return 0;
}

/* Getting the document */

struct download {
	struct loop loop;
	struct buf *to;
	struct err error;
	bool is_done;
};

static void
on_done(void *of, struct err e, const struct http_response *r)
{
	struct download *d = of;

	d->error = e;
	d->is_done = true;
	if (r != NULL && r->status == 200)
		buf_put(d->to, r->body);
	else if (!failed(e))
		d->error = fail(ERR_UPSTREAM, "the answer is no 200");
	loop_stop(&d->loop);
}

/* The host as it is written: whoever runs the command named it. */
static const char *
host_of_url(const char *url, char *room, size_t size)
{
	struct bytes rest = bytes_text(strstr(url, "://") + 3);

	rest = bytes_slice(rest, 0, bytes_find(rest, '/'));
	rest = bytes_slice(rest, 0,
	                   bytes_starts(rest, BYTES("[")) ? bytes_find(rest, ']') + 1
	                                                  : bytes_find(rest, ':'));
	(void)snprintf(room, size, "%.*s", (int)rest.len, (const char *)rest.at);
	return room;
}

static struct err
download(const char *url, struct buf *to)
{
	struct download d = { .to = to };
	char room[256];
	const char *const hosts[] = { host_of_url(url, room, sizeof room) };
	const struct outbound_settings outbound = { .private_hosts = hosts,
		                                    .private_host_count = 1,
		                                    .timeout_ms = 10000 };
	const struct http_request request = { .url = bytes_text(url) };
	struct http_client *client = NULL;
	struct http_exchange *exchange;

	TRY(loop_init(&d.loop));
	TRY(http_client_new(&d.loop, &outbound, &client));
	struct err e = http_start(client, &request, on_done, &d, &exchange);
	while (!failed(e) && !d.is_done)
		loop_run(&d.loop);
	http_client_free(client);
	loop_done(&d.loop);
	return failed(e) ? e : d.error;
}

static bool
is_url(const char *source)
{
	return strncmp(source, "http://", 7) == 0 || strncmp(source, "https://", 8) == 0;
}

static struct err
get_text(struct import *i)
{
	bool terminal = isatty(STDERR_FILENO) == 1;

	i->text.limit = CONFIG_BYTES_MAX * 4;
	if (!is_url(i->source))
		return input_file(i->source, &i->text);
	if (terminal)
		(void)fprintf(stderr, "\rasking %s", i->source);
	struct err e = download(i->source, &i->text);
	if (terminal)
		(void)fprintf(stderr, "\r\033[K");
	return e;
}

/* JSON as it is; else YAML. */
static struct err
get_json(struct import *i, struct bytes *ret)
{
	CLEANUP(config_errors_done) struct config_errors errors = { 0 };
	struct bytes text = buf_bytes(&i->text);
	size_t at = 0;

	while (at < text.len && strchr(" \t\r\n", text.at[at]) != NULL && text.at[at] != 0)
		at++;
	if (at < text.len && text.at[at] == '{') {
		*ret = text;
		return OK;
	}
	struct err e = yaml_to_json(text, i->source, &i->json, &errors);
	complain_config(&errors);
	*ret = buf_bytes(&i->json);
	return e;
}

/* Writing */

static struct bytes
backend_of(const struct import *i)
{
	struct bytes url = bytes_text(i->source);

	if (i->backend != NULL)
		return bytes_text(i->backend);
	if (i->document.server.len > 0)
		return i->document.server;
	if (!is_url(i->source))
		return bytes_text(default_backend);
	size_t start = bytes_find(url, ':') + 3;
	return bytes_slice(url, 0, start + bytes_find(bytes_slice(url, start, url.len), '/'));
}

/* What is written must be a configuration. */
static struct err
check(const struct import *i)
{
	CLEANUP(config_errors_done) struct config_errors errors = { 0 };
	CLEANUP(arena_done) struct arena arena = { 0 };
	const struct settings *settings;
	struct err e =
		config_parse(buf_bytes(&i->out), "what is made of it", &arena, &settings, &errors);

	complain_config(&errors);
	return e;
}

int
cmd_import(int argc, char **argv)
{
	CLEANUP(import_done) struct import i = { 0 };
	struct bytes json;

	if (argc < 2 || strcmp(argv[1], "openapi") != 0)
		return usage_error("import", "say what: openapi", argc < 2 ? NULL : argv[1]);
	int status = take_arguments(argc - 1, argv + 1, &i);
	if (status != 0)
		return status;
	const char *prefix = i.prefix != NULL && strcmp(i.prefix, "/") != 0 ? i.prefix : "";
	struct err e = get_text(&i);
	if (!failed(e))
		e = get_json(&i, &json);
	if (!failed(e))
		e = openapi_read(json, prefix, &i.document);
	if (!failed(e)) {
		openapi_write(&i.out, &i.document, i.source, backend_of(&i), prefix);
		e = buf_check(&i.out);
	}
	if (!failed(e))
		e = check(&i);
	if (failed(e)) {
		complain("import", i.source, e);
		return 2;
	}
	(void)fwrite(i.out.at, 1, i.out.len, stdout); /* a failure is seen at the end */
	return 0;
}
