/* service_tls.c - whom a service is believed to be, and what we show it. */
#include "backend/service_parts.h"

#include "base/log.h"

static bool
needs_tls(const struct service *s)
{
	for (size_t i = 0; i < s->settings->origin_count; i++)
		if (s->settings->origins[i].is_tls)
			return true;
	return false;
}

static struct err
open_context(const struct service *s, const char *const *alpn, struct tls_context **ret)
{
	const struct service_settings *own = s->settings;
	const struct tls_certificate certificate = { own->certificate.certificate,
		                                     own->certificate.key };
	const struct tls_options options = {
		.certificates = &certificate,
		.certificate_count = own->certificate.certificate != NULL,
		.ca_file = own->ca_file,
		.alpn = alpn,
	};
	const char *file = NULL;
	struct err e = tls_client_context(&options, ret, &file);

	if (failed(e) && file != NULL)
		LOG(LOG_ERROR, "a file of a service's TLS cannot be used",
		    { "backend", bytes_text(s->name) }, { "file", bytes_text(file) });
	return e;
}

struct err
service_open_tls(struct service *s)
{
	static const char *const http1[] = { "http/1.1", NULL }, *const http2[] = { "h2", NULL },
				 *const both[] = { "h2", "http/1.1", NULL };
	static const char *const *const offered[] = {
		[SERVICE_HTTP1] = http1, [SERVICE_HTTP2] = http2, [SERVICE_AUTO] = both
	};

	if (!needs_tls(s))
		return OK;
	TRY(open_context(s, offered[s->settings->protocol], &s->tls));
	return open_context(s, http1, &s->tls_http1);
}
