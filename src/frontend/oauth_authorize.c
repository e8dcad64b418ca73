/* oauth_authorize.c - /authorize, which shows the login page, and /authorize/login, to which that
 * page is sent. RFC 6749 section 4.1, RFC 9700, OpenID Connect Core section 3.1.2.
 *
 * Who is told what went wrong: the person at the browser, in a page, until keeper has said that the
 * redirect_uri is this client's; from then on the client, in a redirect; and the person again about
 * name and password. */
#include <openssl/crypto.h>

#include "base/clock.h"
#include "base/macros.h"
#include "frontend/endpoint.h"
#include "frontend/login_page.h"
#include "frontend/login_ticket.h"
#include "frontend/oauth.h"
#include "frontend/oauth_authorization.h"

enum { TEXT_MAX = 1024 };

static const char purpose[] = "authorize", hidden[] = "request";
static const char not_possible[] = "logging in is not possible right now, try again in a moment";

/* Of one request, in its arena. */
struct authorize {
	struct authorization request;
	struct bytes client_name;
	bool is_trusted;       /* the redirect_uri is the client's: answers may go there */
	const char *error;     /* for the client, in a redirect; NULL: the person is told */
	const char *problem;   /* why the login page is shown again; NULL: it is not */
	struct bytes username; /* as it was given */
	struct bytes password; /* in the body or the arena; wiped */
	struct bytes code;
};

static int64_t
now_s(void)
{
	return clock_wall_us() / 1000000;
}

/* Answers */

static void
put_redirect(struct request *r, const char *name, struct bytes value, struct bytes description)
{
	const struct authorize *a = r->state;
	struct buf *fields = &r->reply.fields;

	r->reply.status = 303;
	r->reply.type = NULL;
	buf_put_text(fields, "Location: ");
	authorization_put_answer(fields, &a->request, name, value, description,
	                         bytes_text(r->gate->settings->public_url));
	buf_put_text(fields, "\r\nReferrer-Policy: no-referrer\r\n");
}

static struct ticket_seal
seal_of(const struct request *r, struct bytes browser)
{
	return (struct ticket_seal){ .key = { r->gate->cursor_key, SHARED_KEY_LEN },
		                     .purpose = purpose,
		                     .browser = browser };
}

static struct err
put_ticket(struct request *r, struct buf *out)
{
	const struct authorize *a = r->state;
	CLEANUP(buf_done) struct buf text = { 0 };
	struct bytes browser;

	TRY(login_browser(r, &browser));
	buf_put_counted(&text, a->client_name);
	authorization_put(&text, &a->request);
	TRY(buf_check(&text));
	const struct ticket_seal seal = seal_of(r, browser);
	return ticket_put(&seal, buf_bytes(&text), now_s(), out);
}

static struct err
put_page(struct request *r)
{
	const struct authorize *a = r->state;
	CLEANUP(buf_done) struct buf ticket = { 0 };

	TRY(put_ticket(r, &ticket));
	page_put_fields(&r->reply.fields, a->request.values[AUTHORIZATION_REDIRECT_URI]);
	r->reply.type = PAGE_TYPE;
	login_page_put(&r->reply.body,
	               &(struct login_page){ .action = "/authorize/login",
	                                     .hidden = hidden,
	                                     .value = buf_bytes(&ticket),
	                                     .client = a->client_name,
	                                     .host = authorization_host(&a->request),
	                                     .problem = a->problem,
	                                     .username = a->username,
	                                     .can_cancel = true });
	return OK;
}

/* Not the caller's fault, and not for the caller to know. */
static bool
is_ours(struct err e)
{
	return e.kind != ERR_PEER && e.kind != ERR_IDENTITY && e.kind != ERR_NOT_FOUND &&
	       e.kind != ERR_LIMIT;
}

static void
put_refusal(struct request *r)
{
	struct err e = r->outcome;
	const char *detail = r->detail.len == 0 ? NULL : arena_text(&r->arena, r->detail);

	page_put_fields(&r->reply.fields, (struct bytes){ 0 });
	r->reply.type = PAGE_TYPE;
	login_page_put_refusal(&r->reply.body, is_ours(e)       ? not_possible
	                                       : detail != NULL ? detail
	                                                        : e.why);
}

void
authorize_put_error(struct request *r, struct buf *body)
{
	struct authorize *a = r->state;
	bool is_trusted = a != NULL && a->is_trusted;

	(void)body; /* it is the answer's */
	/* A page says what is wrong, not a challenge that browsers answer with a dialogue. */
	if (r->outcome.kind == ERR_IDENTITY) {
		r->reply.status = 400;
		buf_clear(&r->reply.fields);
	}
	/* What was found out before, such as a wrong password, is not told unrecorded. */
	if (is_trusted && is_ours(r->outcome)) {
		a->problem = not_possible;
		a->error = NULL;
	}
	if (is_trusted && a->error != NULL)
		put_redirect(r, "error", bytes_text(a->error),
		             r->detail.len != 0 ? r->detail : bytes_text(r->outcome.why));
	else if (!is_trusted || a->problem == NULL || failed(put_page(r)))
		put_refusal(r);
}

/* Waiting for keeper */

static struct err
take_client(struct request *r, const struct answer *answer)
{
	struct authorize *a = r->state;

	TRY(oauth_take_answer(
		r, answer,
		"this client is not known here, or may not send you back to that address"));
	a->is_trusted = true;
	a->client_name = arena_copy(&r->arena, answer->fields[ANSWER_CLIENT_NAME]);
	if (a->client_name.len == 0)
		a->client_name = a->request.values[AUTHORIZATION_CLIENT_ID];
	return OK;
}

static const char *
wait_text(struct request *r, unsigned wait_s)
{
	CLEANUP(buf_done) struct buf text = { 0 };

	buf_printf(&text, "there were too many attempts, try again in %u second%s", wait_s,
	           wait_s == 1 ? "" : "s");
	const char *copy = arena_text(&r->arena, buf_bytes(&text));
	return copy != NULL ? copy : not_possible;
}

/* Whom keeper's refusal is for. */
static void
route_refusal(struct request *r, const struct answer *answer)
{
	struct authorize *a = r->state;

	switch (answer->error) {
	case OAUTH_NONE:
	case OAUTH_INVALID_GRANT:
	case OAUTH_ACCESS_DENIED:
		/* One text for an unknown user, a disabled one and a wrong password. */
		a->problem = "the user name or the password is wrong";
		break;
	case OAUTH_INVALID_CLIENT:
	case OAUTH_INVALID_REQUEST:
		a->is_trusted = false;
		break;
	case OAUTH_UNAUTHORIZED_CLIENT:
	case OAUTH_UNSUPPORTED_GRANT_TYPE:
	case OAUTH_INVALID_SCOPE:
	case OAUTH_INVALID_TARGET:
	case OAUTH_ERROR_COUNT:
		a->error = oauth_error_name(answer->error);
		break;
	}
}

static struct err
take_login(struct request *r, const struct answer *answer)
{
	struct authorize *a = r->state;

	if (answer->result == ANSWER_REFUSED)
		route_refusal(r, answer);
	else if (answer->result == ANSWER_WAIT)
		a->problem = wait_text(r, answer->wait_s);
	TRY(oauth_take_answer(r, answer, "incorrect username or password"));
	a->code = arena_copy(&r->arena, answer->fields[ANSWER_CODE]);
	return a->code.len != 0 ? OK : fail(ERR_UPSTREAM, "keeper gave no code");
}

static struct err
take_answer(struct request *r, struct bytes message)
{
	const struct authorize *a = r->state;
	struct answer answer;

	TRY(answer_read(message, &answer));
	return a->is_trusted ? take_login(r, &answer) : take_client(r, &answer);
}

static void
on_answer(struct waiter *w, const struct message *answer, struct err e)
{
	struct request *r = container_of(w, struct request, waiter);

	r->is_woken = true;
	r->wake_error = failed(e) ? e : take_answer(r, answer->body);
	request_resume(r);
}

/* The request's own parameters, as keeper's fields. */
static struct err
ask(struct request *r, struct ask question, enum step *step)
{
	static const struct {
		enum ask_field field;
		enum authorization_parameter parameter;
	} rows[] = {
		{ ASK_CLIENT_ID, AUTHORIZATION_CLIENT_ID },
		{ ASK_REDIRECT_URI, AUTHORIZATION_REDIRECT_URI },
		{ ASK_CHALLENGE, AUTHORIZATION_CHALLENGE },
		{ ASK_SCOPE, AUTHORIZATION_SCOPE },
		{ ASK_RESOURCE, AUTHORIZATION_RESOURCE },
		{ ASK_NONCE, AUTHORIZATION_NONCE },
	};
	const struct authorize *a = r->state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		question.fields[rows[i].field] = a->request.values[rows[i].parameter];
	question.fields[ASK_ADDRESS] = request_own_address(r);
	r->waiter.wake = on_answer;
	TRY(gate_ask_keeper(r->gate, &question, &r->waiter));
	*step = STEP_MORE;
	return OK;
}

/* The page */

static struct err
begin(struct request *r, enum step *step)
{
	struct authorize *a = r->state;

	if (r->head.method == HTTP_POST)
		TRY(oauth_check_media_type(r));
	TRY(authorization_read(r->head.method == HTTP_POST ? buf_bytes(&r->body) : r->head.query,
	                       &r->arena, &a->request));
	return ask(r, (struct ask){ .kind = ASK_AUTHORIZE }, step);
}

struct err
authorize_show(struct request *r, enum step *step)
{
	struct authorize *a = r->state;
	struct authorization_fault fault;

	if (!r->is_woken)
		return begin(r, step);
	r->is_woken = false;
	TRY(r->wake_error);
	if (authorization_check(&a->request, &fault)) {
		a->error = fault.error;
		return fail(ERR_PEER, fault.why);
	}
	a->username = a->request.values[AUTHORIZATION_LOGIN_HINT];
	return put_page(r);
}

/* What the page sends */

static struct err
read_ticket(struct request *r, struct bytes ticket)
{
	struct authorize *a = r->state;
	struct bytes browser, text;

	if (!r->gate->has_shared_keys)
		return fail(ERR_UPSTREAM, "the keeper process is being restarted");
	TRY(login_browser_known(r, &browser));
	const struct ticket_seal seal = seal_of(r, browser);
	TRY(ticket_read(&seal, ticket, now_s(), &r->arena, &text));
	struct reader reader = reader_of(text);
	TRY(read_counted(&reader, text.len, &a->client_name));
	TRY(authorization_take((struct bytes){ reader.at, reader_left(&reader) }, &a->request));
	a->is_trusted = true; /* keeper said so before the ticket was sealed, and will again */
	return OK;
}

static struct err
read_form(struct request *r, bool *ret_cancelled)
{
	struct authorize *a = r->state;
	struct url_parameter params[URL_PARAMETERS_MAX];
	struct bytes ticket = { 0 }, cancel = { 0 };
	const struct {
		const char *name;
		struct bytes *to;
	} rows[] = { { hidden, &ticket },
		     { "username", &a->username },
		     { "password", &a->password },
		     { "cancel", &cancel } };
	size_t count;

	TRY(login_check_site(r));
	TRY(oauth_check_media_type(r));
	TRY(url_form_split(buf_bytes(&r->body), &r->arena, params, &count));
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < ARRAY_LEN(rows); k++)
			if (bytes_is(params[i].name, rows[k].name))
				*rows[k].to = params[i].value;
	*ret_cancelled = cancel.len != 0;
	return read_ticket(r, ticket);
}

static struct err
ask_login(struct request *r, enum step *step)
{
	struct authorize *a = r->state;
	bool is_cancelled;

	TRY(read_form(r, &is_cancelled));
	if (is_cancelled) {
		a->error = "access_denied";
		return fail(ERR_PEER, "the login was cancelled");
	}
	if (a->username.len == 0 || a->password.len == 0) {
		a->problem = "both user name and password are needed";
		return fail(ERR_PEER, "username or password is missing");
	}
	if (a->username.len > TEXT_MAX || a->password.len > TEXT_MAX) {
		a->problem = "the user name or the password is too long";
		return fail(ERR_PEER, "username or password is too long");
	}
	return ask(r,
	           (struct ask){ .kind = ASK_LOGIN,
	                         .fields[ASK_USER] = a->username,
	                         .fields[ASK_PASSWORD_TEXT] = a->password },
	           step);
}

struct err
authorize_login(struct request *r, enum step *step)
{
	const struct authorize *a = r->state;

	if (!r->is_woken)
		return ask_login(r, step);
	r->is_woken = false;
	TRY(r->wake_error);
	put_redirect(r, "code", a->code, (struct bytes){ 0 });
	return OK;
}

/* Endpoints */

void
authorize_describe(struct request *r)
{
	r->class = AUDIT_AUTHENTICATION;
	r->action = BYTES("authorize");
	r->resource = BYTES("authorize");
}

struct err
authorize_decide(struct request *r)
{
	r->state = arena_alloc(&r->arena, sizeof(struct authorize));
	if (r->state == NULL)
		return fail(ERR_LIMIT, "out of memory for a login page");
	return oauth_begin(r);
}

void
authorize_done(struct request *r)
{
	const struct authorize *a = r->state;

	if (a != NULL && a->password.len != 0)
		OPENSSL_cleanse((uint8_t *)(uintptr_t)a->password.at, a->password.len);
}
