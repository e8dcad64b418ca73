/* session_login.c - see session.h: /login, by our own form or at a provider, and /login/callback
 * (RFC 6749 section 4.1, 7636, 9207, OpenID Connect Core section 3.1). */
#include <openssl/sha.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/random.h"
#include "format/base64.h"
#include "format/json.h"
#include "frontend/login_page.h"
#include "frontend/login_ticket.h"
#include "frontend/session_work.h"
#include "frontend/source.h"

enum { SALT_LEN = 16, NAME_MAX_LEN = 255, PASSWORD_MAX_LEN = 1024 };

static const char callback_path[] = "/login/callback";

void
session_describe(struct request *r)
{
	r->class = AUDIT_AUTHENTICATION;
	r->action = r->segment_count > 0 && bytes_is(r->segments[0], "logout") ? BYTES("logout")
	                                                                       : BYTES("login");
	r->resource = BYTES("session");
}

static const struct issuer_settings *
issuer_of(const struct request *r)
{
	return &r->gate->settings->issuers[session_work(r)->issuer];
}

/* GET /login */

static struct err
choose_issuer(struct request *r, struct bytes name)
{
	const struct settings *settings = r->gate->settings;
	struct session_work *w = session_work(r);

	w->issuer = (unsigned)settings->sessions.issuer;
	if (name.at == NULL)
		return OK;
	for (unsigned i = 0; i < settings->issuer_count; i++) {
		if (settings->issuers[i].login_client_id == NULL ||
		    !bytes_is(name, settings->issuers[i].name))
			continue;
		w->issuer = i;
		return OK;
	}
	return fail(ERR_PEER, "there is no login at such an issuer");
}

/* What is sealed, or derived, for this browser. */
static struct ticket_seal
seal_of(const struct request *r, const char *purpose, struct bytes browser)
{
	return (struct ticket_seal){ .key = { r->gate->cursor_key, SHARED_KEY_LEN },
		                     .purpose = purpose,
		                     .browser = browser };
}

/* Nonce and verifier come of the state's salt, a key that no caller has, and the cookie: nothing is
 * kept anywhere between /login and its callback, so nobody can fill up where it would be. */
static struct err
derive(struct request *r, struct bytes browser, struct bytes salt)
{
	struct session_work *w = session_work(r);
	const struct {
		const char *purpose;
		struct bytes *to;
	} secrets[] = { { "nonce", &w->nonce }, { "verifier", &w->verifier } };

	for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
		CLEANUP(buf_wipe) struct buf text = { 0 };
		struct ticket_seal seal = seal_of(r, secrets[i].purpose, browser);

		TRY(ticket_secret(&seal, salt, &text));
		*secrets[i].to = arena_copy(&r->arena, buf_bytes(&text));
		if (secrets[i].to->len != text.len)
			return fail(ERR_SYSTEM, "out of memory");
	}
	return OK;
}

static struct err
put_state(struct request *r, struct buf *out)
{
	CLEANUP(buf_done) struct buf data = { 0 }, salt = { 0 };
	uint8_t random[SALT_LEN];
	struct bytes browser;

	if (!r->gate->has_shared_keys)
		return fail(ERR_UPSTREAM, "the keeper process is not there");
	TRY(login_browser(r, &browser));
	random_fill(random, sizeof random);
	base64url_put(&salt, (struct bytes){ random, sizeof random });
	TRY(derive(r, browser, buf_bytes(&salt)));
	const struct {
		const char *name;
		struct bytes value;
	} members[] = { { "issuer", bytes_text(issuer_of(r)->name) },
		        { "salt", buf_bytes(&salt) },
		        { "return_to", session_work(r)->return_to } };
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		buf_put_u8(&data, i == 0 ? '{' : ',');
		json_put_name(&data, members[i].name);
		json_put_string(&data, members[i].value);
	}
	buf_put_u8(&data, '}');
	TRY(buf_check(&data));
	struct ticket_seal seal = seal_of(r, "provider", browser);
	return ticket_put(&seal, buf_bytes(&data), clock_wall_us() / 1000000, out);
}

static void
put_callback(struct buf *out, const struct request *r)
{
	buf_put_text(out, r->gate->settings->public_url);
	buf_put_text(out, callback_path);
}

static struct err
redirect_to(struct request *r, struct bytes endpoint)
{
	CLEANUP(buf_done) struct buf callback = { 0 }, challenge = { 0 }, state = { 0 };
	const struct session_work *w = session_work(r);
	const struct issuer_settings *issuer = issuer_of(r);
	struct buf *out = &r->reply.fields;
	uint8_t digest[SHA256_DIGEST_LENGTH];

	TRY(put_state(r, &state));
	SHA256(w->verifier.at, w->verifier.len, digest);
	base64url_put(&challenge, (struct bytes){ digest, sizeof digest });
	put_callback(&callback, r);
	r->reply.status = 303;
	buf_put_text(out, "Location: ");
	buf_put(out, endpoint);
	buf_put_text(out, bytes_find(endpoint, '?') < endpoint.len ? "&" : "?");
	buf_put_text(out, "response_type=code");
	session_put_parameter(out, "client_id", bytes_text(issuer->login_client_id));
	session_put_parameter(out, "redirect_uri", buf_bytes(&callback));
	session_put_parameter(out, "scope", bytes_text(issuer->login_scope));
	session_put_parameter(out, "state", buf_bytes(&state));
	session_put_parameter(out, "nonce", w->nonce);
	session_put_parameter(out, "code_challenge", buf_bytes(&challenge));
	buf_put_text(out, "&code_challenge_method=S256\r\n");
	return OK;
}

/* What the provider says of itself is not here, or too old: once more, with all that can be had. */
static struct err
wait_for_provider(struct request *r, struct source *source, stage_fn *next, enum step *step)
{
	struct session_work *w = session_work(r);

	w->has_refreshed = true;
	w->next = next;
	r->waiter.wake = session_woken;
	*step = STEP_MORE;
	return source_refresh(source, &r->waiter);
}

static struct err
to_provider(struct request *r, enum step *step)
{
	const struct session_work *w = session_work(r);
	struct source *source = source_of(r->gate, w->issuer);

	if (source != NULL && source->state.authorization_endpoint.len == 0 && !w->has_refreshed)
		return wait_for_provider(r, source, to_provider, step);
	if (source == NULL || !session_is_redirect_target(source->state.authorization_endpoint)) {
		r->retry_after_s = source == NULL ? 0 : source->state.retry_s;
		return fail(ERR_UPSTREAM, "the identity provider is not there right now");
	}
	return redirect_to(r, source->state.authorization_endpoint);
}

static struct err
parse_query(struct request *r, struct session_form *f)
{
	f->count = 0;
	return r->head.has_query ? url_form_split(r->head.query, &r->arena, f->all, &f->count) : OK;
}

static struct err
begin_login(struct request *r, enum step *step)
{
	struct session_work *w = session_work(r);
	struct session_form form;
	struct bytes issuer;

	TRY(parse_query(r, &form));
	TRY(session_parameter(&form, "issuer", &issuer));
	TRY(session_parameter(&form, "return_to", &w->return_to));
	TRY(choose_issuer(r, issuer));
	if (w->return_to.at == NULL)
		w->return_to = BYTES("/account");
	if (!session_is_return_path(w->return_to))
		return fail(ERR_PEER, "return_to is no path of this service");
	return issuer_of(r)->type == ISSUER_LOCAL ? session_put_form(r, NULL)
	                                          : to_provider(r, step);
}

struct err
session_login(struct request *r, enum step *step)
{
	return session_run(r, begin_login, step);
}

/* POST /login */

static struct err
local_proven(struct request *r, enum step *step)
{
	struct session_work *w = session_work(r);
	const struct json *claims;

	if (w->answer.result != ANSWER_GRANTED) {
		r->subject = w->answer.fields[ANSWER_SUBJECT];
		r->name = w->answer.fields[ANSWER_NAME];
		w->is_form_again = true;
		return fail(ERR_IDENTITY, "incorrect username or password");
	}
	TRY(json_parse(w->answer.fields[ANSWER_CLAIMS], &r->arena, &claims, NULL));
	return session_begin(r, claims, step);
}

static struct err
check_form(struct request *r)
{
	struct bytes type = { 0 };

	TRY(http_field_single(&r->head, "content-type", &type));
	if (!bytes_equal_nocase(bytes_slice(type, 0, bytes_find(type, ';')),
	                        BYTES("application/x-www-form-urlencoded")))
		return (struct err){ .kind = ERR_PEER,
			             .code = 415,
			             .why = "the body must be application/x-www-form-urlencoded" };
	return login_check_site(r);
}

static struct err
find_local(struct request *r)
{
	const struct settings *settings = r->gate->settings;

	for (unsigned i = 0; i < settings->issuer_count; i++) {
		if (settings->issuers[i].type != ISSUER_LOCAL ||
		    settings->issuers[i].login_client_id == NULL)
			continue;
		session_work(r)->issuer = i;
		r->issuer = bytes_text(settings->issuers[i].name);
		return OK;
	}
	return fail(ERR_PEER, "there is no login at such an issuer");
}

/* The page that was sent: ours, of this browser, and not too old. */
static struct err
read_ticket(struct request *r, struct bytes ticket)
{
	struct session_work *w = session_work(r);
	struct bytes browser;

	if (!r->gate->has_shared_keys)
		return fail(ERR_UPSTREAM, "the keeper process is not there");
	TRY(login_browser_known(r, &browser));
	struct ticket_seal seal = seal_of(r, "session", browser);
	return ticket_read(&seal, ticket, clock_wall_us() / 1000000, &r->arena, &w->return_to);
}

static struct err
begin_local(struct request *r, enum step *step)
{
	struct session_work *w = session_work(r);
	struct ask ask = { .kind = ASK_SESSION_LOGIN };
	struct session_form form;
	struct bytes ticket;

	TRY(check_form(r));
	TRY(find_local(r));
	TRY(url_form_split(buf_bytes(&r->body), &r->arena, form.all, &form.count));
	TRY(session_parameter(&form, "ticket", &ticket));
	TRY(session_parameter(&form, "username", &w->username));
	TRY(session_parameter(&form, "password", &ask.fields[ASK_PASSWORD_TEXT]));
	TRY(read_ticket(r, ticket));
	if (w->username.len > NAME_MAX_LEN || ask.fields[ASK_PASSWORD_TEXT].len > PASSWORD_MAX_LEN)
		return fail(ERR_PEER, "a parameter is too long");
	if (w->username.len == 0 || ask.fields[ASK_PASSWORD_TEXT].len == 0)
		return fail(ERR_PEER, "username or password is missing");
	ask.fields[ASK_USER] = w->username;
	ask.fields[ASK_ADDRESS] = request_own_address(r);
	return session_ask_keeper(r, &ask, local_proven, step);
}

struct err
session_login_form(struct request *r, enum step *step)
{
	return session_run(r, begin_local, step);
}

/* GET /login/callback */

static struct err
refuse(struct request *r, const struct jwt_report *report)
{
	CLEANUP(buf_done) struct buf reason = { 0 };

	buf_printf(&reason, "ID token: %s: %s",
	           report->failed < JWT_CHECK_COUNT ? jwt_check_name(report->failed) : "form",
	           report->why != NULL ? report->why : "it is not good");
	r->reason = arena_copy(&r->arena, buf_bytes(&reason));
	return fail(ERR_IDENTITY, "the identity provider's answer is not good");
}

/* With keys as new as they can be, where those that are here do not do. */
static struct err
check_id_token(struct request *r, enum step *step)
{
	struct session_work *w = session_work(r);
	struct source *source = source_of(r->gate, w->issuer);
	struct jwt_report report = { .failed = JWT_CHECK_COUNT };
	const struct json *claims;

	struct err e =
		issuers_check_id_token(r->gate->issuers, w->issuer, w->id_token, w->nonce,
	                               clock_wall_us() / 1000000, &r->arena, &claims, &report);
	bool is_key_missing =
		e.kind == ERR_UPSTREAM || (e.kind == ERR_IDENTITY && report.failed == JWT_KEY);
	if (is_key_missing && source != NULL && !w->has_refreshed)
		return wait_for_provider(r, source, check_id_token, step);
	if (e.kind == ERR_IDENTITY)
		return refuse(r, &report);
	TRY(e);
	return session_begin(r, claims, step);
}

static struct err
code_exchanged(struct request *r, enum step *step)
{
	struct session_work *w = session_work(r);

	if (w->fetched.result != FETCH_DONE || w->fetched.id_token.len == 0)
		return fail(ERR_IDENTITY, "the identity provider refused the login");
	w->id_token = w->fetched.id_token;
	return check_id_token(r, step);
}

/* RFC 9207: an answer of another provider must not be taken for one of this. */
static struct err
check_provider(struct request *r, struct bytes iss)
{
	const struct issuer_settings *issuer = issuer_of(r);

	if (iss.at == NULL)
		return OK;
	for (size_t i = 0; i < issuer->name_count; i++)
		if (bytes_is(iss, issuer->names[i].iss))
			return OK;
	return fail(ERR_IDENTITY, "this answer is not of the provider that was asked");
}

/* What was sealed when this browser went to the provider. */
static struct err
read_state(struct request *r, struct bytes state)
{
	struct session_work *w = session_work(r);
	struct bytes browser, text, issuer, salt;
	const struct json *data;

	if (!r->gate->has_shared_keys)
		return fail(ERR_UPSTREAM, "the keeper process is not there");
	TRY(login_browser_known(r, &browser));
	struct ticket_seal seal = seal_of(r, "provider", browser);
	if (failed(ticket_read(&seal, state, clock_wall_us() / 1000000, &r->arena, &text)))
		return fail(ERR_PEER, "this login was begun in another browser, or too long ago");
	TRY(json_parse(text, &r->arena, &data, NULL));
	if (!json_string(json_member(data, "issuer"), &issuer) ||
	    !json_string(json_member(data, "salt"), &salt) ||
	    !json_string(json_member(data, "return_to"), &w->return_to))
		return fail(ERR_UPSTREAM, "what was sealed of this login cannot be read");
	r->issuer = issuer;
	TRY(derive(r, browser, salt));
	return choose_issuer(r, issuer);
}

static struct err
begin_callback(struct request *r, enum step *step)
{
	CLEANUP(buf_done) struct buf callback = { 0 };
	struct session_form form;
	struct bytes state, code, error, iss;

	TRY(parse_query(r, &form));
	TRY(session_parameter(&form, "state", &state));
	TRY(session_parameter(&form, "code", &code));
	TRY(session_parameter(&form, "error", &error));
	TRY(session_parameter(&form, "iss", &iss));
	if (state.len == 0)
		return fail(ERR_PEER, "this is no answer of an identity provider");
	TRY(read_state(r, state));
	TRY(check_provider(r, iss));
	if (error.at != NULL || code.len == 0) /* what it says there anybody can write: not shown */
		return fail(ERR_IDENTITY, "the identity provider refused the login");
	put_callback(&callback, r);
	struct fetch_ask ask = { .issuer = bytes_text(issuer_of(r)->name),
		                 .code = code,
		                 .verifier = session_work(r)->verifier,
		                 .redirect_uri = buf_bytes(&callback) };
	return session_ask_fetcher(r, &ask, code_exchanged, step);
}

struct err
session_callback(struct request *r, enum step *step)
{
	return session_run(r, begin_callback, step);
}

/* Errors */

void
session_put_error(struct request *r, struct buf *body)
{
	struct session_work *w = session_work(r);
	bool is_refused = r->outcome.kind == ERR_IDENTITY;

	/* No challenge: it is not a token that is missing here. */
	if (is_refused && request_refusal(r) == NULL) {
		r->reply.status = 403;
		buf_clear(&r->reply.fields);
	}
	/* Not where something of ours failed since, and a refusal could not be recorded. */
	if (is_refused && w != NULL && w->is_form_again &&
	    !failed(session_put_form(r, r->outcome.why)))
		return;
	r->reply.type = PAGE_TYPE;
	page_put_fields(&r->reply.fields, (struct bytes){ 0 });
	login_page_put_refusal(body, r->outcome.why);
}
