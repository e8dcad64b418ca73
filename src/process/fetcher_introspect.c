/* fetcher_introspect.c - is this token good, and what does it say? RFC 7662. */
#include "base/macros.h"
#include "process/fetcher_question.h"

static void
on_answer(void *of, struct err e, const struct http_response *r)
{
	CLEANUP(arena_done) struct arena arena = { 0 };
	CLEANUP(buf_wipe) struct buf claims = { .limit = FETCH_TEXT_MAX };
	struct question *q = of;
	const struct json *object;
	bool is_active;

	q->exchange = NULL;
	e = question_read(e, r, &arena, &object);
	if (!failed(e) && !json_bool(json_member(object, "active"), &is_active))
		e = fail(ERR_PEER, "the answer does not say whether the token is active");
	if (failed(e)) {
		question_fail(q, e, r);
		return;
	}
	if (!is_active) {
		question_refuse(q, "the issuer says that the token is not active");
		return;
	}
	json_put_value(&claims, object);
	if (failed(buf_check(&claims))) {
		question_fail(q, fail(ERR_PEER, "the answer is too long"), r);
		return;
	}
	question_answer(
		q, &(struct fetch_answer){ .result = FETCH_DONE, .claims = buf_bytes(&claims) });
}

struct err
introspect_begin(struct question *q, const struct issuer_settings *s)
{
	CLEANUP(buf_wipe) struct buf form = { 0 };
	CLEANUP(buf_wipe) struct buf authorization = { 0 };

	if (s->introspection_url == NULL)
		return fail(ERR_UPSTREAM, "the issuer has no introspection");
	form_put(&form, "token", q->ask.token);
	form_put(&form, "token_type_hint", BYTES("access_token"));
	TRY(buf_check(&form));
	TRY(basic_put(&authorization, s->introspection_client_id, &s->introspection_secret));
	const struct http_request request = { .url = bytes_text(s->introspection_url),
		                              .body = buf_bytes(&form),
		                              .authorization = buf_bytes(&authorization) };
	return question_post(q, request, on_answer);
}
