/* session_work.c - see session_work.h. */
#include "frontend/session_work.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/macros.h"
#include "format/json.h"
#include "frontend/cookie.h"
#include "frontend/login_page.h"
#include "frontend/login_ticket.h"

struct err
session_run(struct request *r, stage_fn *first, enum step *step)
{
	if (r->gate->sessions == NULL)
		return (struct err){ .kind = ERR_PEER,
			             .code = 404,
			             .why = "there is nothing at this path" };
	if (r->state == NULL) {
		r->state = arena_alloc(&r->arena, sizeof(struct session_work));
		return r->state == NULL ? fail(ERR_SYSTEM, "out of memory") : first(r, step);
	}
	r->is_woken = false;
	TRY(r->wake_error);
	return session_work(r)->next(r, step);
}

/* Asking */

static void
resume(struct request *r, struct err e)
{
	r->is_woken = true;
	r->wake_error = e;
	request_resume(r);
}

/* An answer borrows the read buffer of its channel: what is needed later must be copied. */
static struct err
copy_body(struct request *r, const struct message *answer, struct bytes *ret)
{
	*ret = arena_copy(&r->arena, answer->body);
	return ret->len != 0 && ret->at == NULL ? fail(ERR_SYSTEM, "out of memory") : OK;
}

static struct err
take_answer(struct request *r, const struct message *answer)
{
	struct answer *a = &session_work(r)->answer;
	struct bytes body;

	TRY(copy_body(r, answer, &body));
	TRY(answer_read(body, a));
	r->retry_after_s = a->wait_s;
	if (a->fields[ANSWER_REASON].len != 0)
		r->reason = a->fields[ANSWER_REASON];
	if (a->result == ANSWER_WAIT)
		return fail(ERR_LIMIT, "too many logins: try again later");
	if (a->result == ANSWER_FAILED)
		return fail(ERR_UPSTREAM, "logins are not possible right now");
	return OK;
}

static void
on_keeper(struct waiter *w, const struct message *answer, struct err e)
{
	struct request *r = container_of(w, struct request, waiter);

	resume(r, failed(e) ? e : take_answer(r, answer));
}

struct err
session_ask_keeper(struct request *r, const struct ask *ask, stage_fn *next, enum step *step)
{
	session_work(r)->next = next;
	r->waiter.wake = on_keeper;
	*step = STEP_MORE;
	return gate_ask_keeper(r->gate, ask, &r->waiter);
}

static struct err
take_fetched(struct request *r, const struct message *answer)
{
	struct fetch_answer *a = &session_work(r)->fetched;
	struct bytes body;

	TRY(copy_body(r, answer, &body));
	TRY(fetch_answer_read(body, a));
	if (a->why.len != 0)
		r->reason = a->why;
	r->retry_after_s = a->retry_s;
	return a->result == FETCH_FAILED
	               ? fail(ERR_UPSTREAM, "the identity provider cannot be asked right now")
	               : OK;
}

static void
on_fetcher(struct waiter *w, const struct message *answer, struct err e)
{
	struct request *r = container_of(w, struct request, waiter);

	resume(r, failed(e) ? e : take_fetched(r, answer));
}

struct err
session_ask_fetcher(struct request *r, const struct fetch_ask *ask, stage_fn *next, enum step *step)
{
	CLEANUP(buf_wipe) struct buf body = { .limit = CHANNEL_BODY_MAX };

	fetch_ask_put(&body, ask);
	TRY(buf_check(&body));
	session_work(r)->next = next;
	r->waiter.wake = on_fetcher;
	*step = STEP_MORE;
	return gate_ask_fetcher(r->gate, FETCH_CODE, buf_bytes(&body), &r->waiter);
}

void
session_woken(struct waiter *w, const struct message *answer, struct err e)
{
	(void)answer;
	resume(container_of(w, struct request, waiter), e);
}

struct err
session_parameter(const struct session_form *f, const char *name, struct bytes *ret)
{
	*ret = (struct bytes){ 0 };
	for (size_t i = 0; i < f->count; i++) {
		if (!bytes_is(f->all[i].name, name))
			continue;
		if (ret->at != NULL)
			return fail(ERR_PEER, "a parameter stands twice");
		*ret = f->all[i].value;
	}
	return OK;
}

void
session_put_parameter(struct buf *out, const char *name, struct bytes value)
{
	buf_printf(out, "&%s=", name);
	url_put_encoded(out, value);
}

bool
session_is_redirect_target(struct bytes url)
{
	for (size_t i = 0; i < url.len; i++)
		if (url.at[i] <= 0x20 || url.at[i] >= 0x7f || url.at[i] == '#')
			return false;
	return url.len != 0;
}

/* A session begins */

static struct err
begun(struct request *r, enum step *step)
{
	struct session_work *w = session_work(r);
	struct buf *out = &r->reply.fields;

	(void)step;
	if (w->answer.result != ANSWER_GRANTED || w->answer.fields[ANSWER_SECRET].len == 0)
		return fail(ERR_UPSTREAM, "no session can be begun right now");
	cookie_put(r, COOKIE_SESSION, w->answer.fields[ANSWER_SECRET],
	           r->gate->settings->sessions.ttl_s);
	r->reply.status = 303;
	buf_put_text(out, "Location: ");
	buf_put(out, w->return_to); /* visible ASCII: session_is_return_path() */
	buf_put_text(out, "\r\n");
	return OK;
}

/* For the record. */
static void
name_subject(struct request *r, const struct json *claims)
{
	struct bytes text;

	if (json_string(json_member(claims, "sub"), &text))
		r->subject = text;
	if (json_string(json_member(claims, "preferred_username"), &text) &&
	    !bytes_has_control(text))
		r->name = text;
}

/* A secret of its own for each login: one that was put into the browser before means nothing
 * (session fixation). */
struct err
session_begin(struct request *r, const struct json *claims, enum step *step)
{
	CLEANUP(buf_wipe) struct buf data = { .limit = ASK_TEXT_MAX };
	const struct settings *settings = r->gate->settings;
	struct ask ask = { .kind = ASK_SESSION_BEGIN };
	char life[16];

	name_subject(r, claims);
	snprintf(life, sizeof life, "%u", settings->sessions.ttl_s);
	buf_put_text(&data, "{\"issuer\":");
	json_put_string(&data, bytes_text(settings->issuers[session_work(r)->issuer].name));
	buf_put_text(&data, ",\"claims\":");
	json_put_value(&data, claims);
	buf_put_u8(&data, '}');
	if (failed(buf_check(&data)))
		return fail(ERR_PEER, "the identity provider says too much about you");
	ask.fields[ASK_DATA] = buf_bytes(&data);
	ask.fields[ASK_LIFE] = bytes_text(life);
	return session_ask_keeper(r, &ask, begun, step);
}

/* The form of our own users */

struct err
session_put_form(struct request *r, const char *problem)
{
	CLEANUP(buf_done) struct buf ticket = { 0 };
	struct session_work *w = session_work(r);
	struct ticket_seal seal = { .key = { r->gate->cursor_key, SHARED_KEY_LEN },
		                    .purpose = "session" };

	if (!r->gate->has_shared_keys)
		return fail(ERR_UPSTREAM, "the keeper process is not there");
	TRY(login_browser(r, &seal.browser));
	TRY(ticket_put(&seal, w->return_to, clock_wall_us() / 1000000, &ticket));
	r->reply.type = PAGE_TYPE;
	page_put_fields(&r->reply.fields, (struct bytes){ 0 });
	login_page_put(&r->reply.body, &(struct login_page){ .action = "/login",
	                                                     .hidden = "ticket",
	                                                     .value = buf_bytes(&ticket),
	                                                     .problem = problem,
	                                                     .username = w->username });
	return OK;
}
