/* certificates.c - see certificates.h. */
#include "process/certificates.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"

enum { DAY_S = 86400, WARN_DAYS = 30, CERTIFICATES_MAX = 257 };

static const char *const served_alpn[] = { "h2", "http/1.1", NULL };

/* Which files there are */

typedef void file_fn(void *of, const char *path);

static void
each_of_pair(const struct certificate_settings *c, file_fn *call, void *of)
{
	if (c->certificate != NULL)
		call(of, c->certificate);
	if (c->key != NULL)
		call(of, c->key);
}

static void
each_of_listener(const struct tls_settings *t, file_fn *call, void *of)
{
	if (!t->is_on)
		return;
	each_of_pair(&t->own, call, of);
	for (size_t i = 0; i < t->more_count; i++)
		each_of_pair(&t->more[i], call, of);
	if (t->client_ca != NULL)
		call(of, t->client_ca);
}

static void
each_file(const struct settings *s, file_fn *call, void *of)
{
	each_of_listener(&s->listen.http_tls, call, of);
	each_of_listener(&s->listen.admin_tls, call, of);
	for (size_t i = 0; i < s->backend_count; i++) {
		const struct service_settings *service = &s->backends[i].service;

		if (s->backends[i].type != BACKEND_HTTP)
			continue;
		each_of_pair(&service->certificate, call, of);
		if (service->ca_file != NULL)
			call(of, service->ca_file);
	}
}

/* FNV-1a: it need only differ, nobody gains by making it the same. */
static void
mix(uint64_t *sum, uint64_t value)
{
	for (int i = 0; i < 8; i++)
		*sum = (*sum ^ (value >> i * 8 & 0xff)) * 0x100000001b3;
}

static void
see_file(void *of, const char *path)
{
	struct stat st = { 0 };

	if (stat(path, &st) != 0)
		mix(of, (uint64_t)errno);
	mix(of, st.st_dev);
	mix(of, st.st_ino);
	mix(of, (uint64_t)st.st_size);
	mix(of, (uint64_t)st.st_mtim.tv_sec);
	mix(of, (uint64_t)st.st_mtim.tv_nsec);
}

uint64_t
certificates_seen(const struct settings *s)
{
	uint64_t sum = 0xcbf29ce484222325;

	each_file(s, see_file, &sum);
	return sum;
}

/* Reading */

static struct tls_options
options_of(const struct tls_settings *t, const struct tls_certificate *at, size_t count)
{
	struct tls_options o = { .certificates = at,
		                 .certificate_count = count,
		                 .ca_file = t->client_ca,
		                 .is_tls13_only = t->is_tls13_only,
		                 .alpn = served_alpn };

	if (t->client_ca != NULL)
		o.ask = t->requires_certificate ? TLS_REQUIRE_CERTIFICATE : TLS_ASK_CERTIFICATE;
	return o;
}

static int64_t
days_left(const struct tls_context *c)
{
	int64_t left = tls_context_expires(c) - clock_wall_us() / 1000000;

	return left < 0 ? -1 : left / DAY_S;
}

static void
warn_of_end(const struct tls_context *c, const char *file)
{
	int64_t days = days_left(c);

	if (days < 0)
		LOG(LOG_ERROR, "a certificate has ended: callers will refuse it",
		    { "file", bytes_text(file) });
	else if (days < WARN_DAYS)
		LOG(LOG_WARN, "a certificate ends within 30 days", { "file", bytes_text(file) });
}

struct err
certificates_serve(const struct tls_settings *t, bool is_speaker, struct tls_context **ret)
{
	struct tls_certificate at[CERTIFICATES_MAX] = { { t->own.certificate, t->own.key } };
	const char *file = NULL;

	*ret = NULL;
	if (!t->is_on)
		return OK;
	if (t->more_count >= CERTIFICATES_MAX)
		return fail(ERR_CONFIG, "too many certificates");
	for (size_t i = 0; i < t->more_count; i++)
		at[i + 1] = (struct tls_certificate){ t->more[i].certificate, t->more[i].key };
	struct tls_options o = options_of(t, at, t->more_count + 1);
	struct err e = tls_server_context(&o, ret, &file);
	if (failed(e))
		LOG(LOG_ERROR, "a certificate cannot be used",
		    { "file", bytes_text(file != NULL ? file : "") }, { "why", bytes_text(e.why) },
		    { "errno", bytes_text(e.sys != 0 ? strerrordesc_np(e.sys) : "") });
	else if (is_speaker)
		warn_of_end(*ret, t->own.certificate);
	return e;
}

/* Checking */

struct check {
	const struct settings *settings;
	struct config_errors *errors;
	struct buf *warnings;
};

/* Takes the context. false: it is wrong, and said. */
static bool
judge(const struct check *c, const struct certificate_settings *own, struct err e,
      struct tls_context *context, const char *file)
{
	const char *settings_file = c->settings->file;

	if (failed(e)) {
		config_error_add(c->errors, settings_file, own->place, "%s: %s%s%s",
		                 file != NULL ? file : "tls", e.why, e.sys != 0 ? ": " : "",
		                 e.sys != 0 ? strerrordesc_np(e.sys) : "");
		return false;
	}
	int64_t days = own->certificate == NULL ? WARN_DAYS : days_left(context);
	tls_context_free(context);
	if (days < 0)
		config_error_add(c->errors, settings_file, own->place,
		                 "%s: the certificate has ended", own->certificate);
	else if (days < WARN_DAYS)
		buf_printf(c->warnings, "%s:%u:%u: warning: %s: the certificate ends in %d days\n",
		           settings_file, own->place.line, own->place.column, own->certificate,
		           (int)days);
	return days >= 0;
}

static bool
check_served(const struct check *c, const struct tls_settings *t,
             const struct certificate_settings *own)
{
	const struct tls_certificate at = { own->certificate, own->key };
	struct tls_options o = options_of(t, &at, 1);
	struct tls_context *context = NULL;
	const char *file;

	struct err e = tls_server_context(&o, &context, &file);
	return judge(c, own, e, context, file);
}

static void
check_listener(const struct check *c, const struct tls_settings *t)
{
	if (!t->is_on || !check_served(c, t, &t->own))
		return;
	for (size_t i = 0; i < t->more_count; i++)
		(void)check_served(c, t, &t->more[i]); /* it has been said */
}

static void
check_service(const struct check *c, const struct service_settings *s)
{
	const struct tls_certificate at = { s->certificate.certificate, s->certificate.key };
	const struct tls_options o = { .certificates = &at,
		                       .certificate_count = at.certificate_file != NULL,
		                       .ca_file = s->ca_file };
	struct tls_context *context = NULL;
	const char *file;

	if (s->origin_count == 0 || !s->origins[0].is_tls)
		return;
	struct err e = tls_client_context(&o, &context, &file);
	(void)judge(c, &s->certificate, e, context, file);
}

void
certificates_check(const struct settings *s, struct config_errors *errors, struct buf *warnings)
{
	const struct check c = { s, errors, warnings };

	check_listener(&c, &s->listen.http_tls);
	check_listener(&c, &s->listen.admin_tls);
	for (size_t i = 0; i < s->backend_count; i++)
		if (s->backends[i].type == BACKEND_HTTP)
			check_service(&c, &s->backends[i].service);
}
