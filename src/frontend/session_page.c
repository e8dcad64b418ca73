/* session_page.c - see session.h: /account and /logout. */
#include "base/macros.h"
#include "format/moment.h"
#include "frontend/cookie.h"
#include "frontend/page.h"
#include "frontend/session_work.h"
#include "frontend/source.h"

/* The configured issuer of who is here; NULL: nobody is. */
static const struct issuer_settings *
issuer_of(const struct request *r, unsigned *ret_index)
{
	const struct settings *settings = r->gate->settings;

	for (unsigned i = 0; r->who != NULL && i < settings->issuer_count; i++) {
		*ret_index = i;
		if (strcmp(settings->issuers[i].name, principal_issuer(r->who)) == 0)
			return &settings->issuers[i];
	}
	return NULL;
}

/* Where the provider ends its own session; empty: it does not say. */
static struct bytes
provider_logout(const struct request *r)
{
	unsigned index;
	const struct issuer_settings *issuer = issuer_of(r, &index);
	const struct source *source = issuer == NULL ? NULL : source_of(r->gate, index);

	if (source == NULL || issuer->login_client_id == NULL ||
	    !session_is_redirect_target(source->state.end_session_endpoint))
		return (struct bytes){ 0 };
	return source->state.end_session_endpoint;
}

static void
begin_page(struct request *r, const char *title)
{
	r->reply.type = PAGE_TYPE;
	page_put_fields(&r->reply.fields, provider_logout(r));
	page_begin(&r->reply.body, title, false);
}

static void
put_logout_button(struct buf *out)
{
	buf_put_text(out, "<form method=\"post\" action=\"/logout\">\n"
	                  "<button type=\"submit\">Log out</button>\n</form>\n");
}

/* /account */

static void
put_fact(struct buf *out, const char *name, struct bytes value)
{
	if (value.len == 0)
		return;
	buf_printf(out, "<dt>%s</dt>\n<dd>", name);
	html_put(out, value);
	buf_put_text(out, "</dd>\n");
}

static void
put_roles(struct request *r, struct buf *out)
{
	CLEANUP(buf_done) struct buf roles = { 0 };
	const struct settings *settings = r->gate->settings;

	for (size_t i = 0; i < settings->role_count; i++) {
		if ((principal_roles(r->who) >> i & 1) == 0)
			continue;
		buf_put_text(&roles, roles.len == 0 ? "" : ", ");
		buf_put_text(&roles, settings->roles[i].name);
	}
	put_fact(out, "Roles", roles.len == 0 ? BYTES("none") : buf_bytes(&roles));
}

struct err
session_account(struct request *r, enum step *step)
{
	CLEANUP(buf_done) struct buf expires = { 0 };
	struct buf *out = &r->reply.body;

	(void)step;
	begin_page(r, "Your account");
	moment_put_timestamp(&expires, principal_expires(r->who) * 1000000);
	buf_put_text(out, "<dl>\n");
	put_fact(out, "Name", principal_name(r->who));
	put_fact(out, "Subject", principal_subject(r->who));
	put_fact(out, "Issuer", bytes_text(principal_issuer(r->who)));
	put_fact(out, "Acting for you", principal_agent(r->who));
	put_roles(r, out);
	put_fact(out, "Until", buf_bytes(&expires));
	buf_put_text(out, "</dl>\n");
	if (r->is_session)
		put_logout_button(out);
	page_end(out);
	return OK;
}

/* /logout */

static struct err
show_logout(struct request *r, enum step *step)
{
	struct buf *out = &r->reply.body;

	(void)step;
	begin_page(r, r->is_session ? "Log out" : "You are logged out");
	if (r->is_session)
		put_logout_button(out);
	else
		buf_put_text(out, "<p><a href=\"/login\">Log in</a></p>\n");
	page_end(out);
	return OK;
}

struct err
session_logout_page(struct request *r, enum step *step)
{
	return session_run(r, show_logout, step);
}

static struct err
ended(struct request *r, enum step *step)
{
	CLEANUP(buf_done) struct buf back = { 0 };
	struct buf *out = &r->reply.fields;
	struct bytes provider = provider_logout(r);
	unsigned index;

	(void)step;
	cookie_put(r, COOKIE_SESSION, (struct bytes){ 0 }, 0);
	r->reply.status = 303;
	buf_put_text(out, "Location: ");
	if (provider.len == 0) {
		buf_put_text(out, "/logout\r\n");
		return OK;
	}
	/* OpenID Connect RP-Initiated Logout 1.0 section 2. */
	buf_printf(&back, "%s/logout", r->gate->settings->public_url);
	buf_put(out, provider);
	buf_put_text(out, bytes_find(provider, '?') < provider.len ? "&" : "?");
	buf_put_text(out, "client_id=");
	url_put_encoded(out, bytes_text(issuer_of(r, &index)->login_client_id));
	session_put_parameter(out, "post_logout_redirect_uri", buf_bytes(&back));
	buf_put_text(out, "\r\n");
	return OK;
}

static struct err
begin_logout(struct request *r, enum step *step)
{
	struct ask ask = { .kind = ASK_SESSION_END };

	if (!session_is_same_origin(r))
		return (struct err){ .kind = ERR_PEER,
			             .code = 403,
			             .why = "this form was sent by another site" };
	/* Also one that names nobody now, or that a token stood beside: its issuer may come back.
	 */
	ask.fields[ASK_SECRET] = cookie_find(r, COOKIE_SESSION);
	if (ask.fields[ASK_SECRET].len == 0 || ask.fields[ASK_SECRET].len > SESSION_SECRET_MAX)
		return ended(r, step);
	return session_ask_keeper(r, &ask, ended, step);
}

struct err
session_logout(struct request *r, enum step *step)
{
	return session_run(r, begin_logout, step);
}
