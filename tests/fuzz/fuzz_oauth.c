/* fuzz_oauth.c - first line: an Authorization or Cookie field; the rest: a form, a query, or text
 * for a page. What is taken of it keeps the promises of its reader: a question has what it needs
 * and fits in one message, an answer cannot break out of its field, nor text out of its attribute,
 * and nobody makes a ticket but us. */
#include <stdlib.h>

#include "base/macros.h"
#include "frontend/cookie.h"
#include "frontend/login_page.h"
#include "frontend/login_ticket.h"
#include "frontend/oauth_authorization.h"
#include "frontend/oauth_form.h"

enum { INPUT_MAX = 32768, NOW_S = 1700000000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
demand(bool truth)
{
	if (!truth)
		abort();
}

static void
check_question(struct oauth_form *form, const struct oauth_grant *grant)
{
	CLEANUP(buf_done) struct buf message = { .limit = CHANNEL_BODY_MAX };
	struct ask ask;

	if (failed(oauth_form_ask(form, grant, &ask)))
		return;
	for (unsigned i = 0; i < ASK_FIELD_COUNT; i++) {
		demand((grant->required >> i & 1) == 0 || ask.fields[i].len != 0);
		demand(ask.fields[i].len <= ASK_TEXT_MAX && bytes_is_utf8(ask.fields[i]));
	}
	ask_put(&message, &ask);
	demand(!failed(buf_check(&message)));
}

static void
check_form(struct bytes field, struct bytes body)
{
	CLEANUP(arena_done) struct arena arena = { 0 };
	CLEANUP(buf_done) struct buf copy = { 0 };
	struct oauth_form form;

	buf_put(&copy, body); /* wiping writes where the body stands */
	if (!failed(oauth_form_read(buf_bytes(&copy), field, &arena, &form))) {
		for (const struct oauth_grant *g = oauth_grants; g->name != NULL; g++)
			check_question(&form, g);
		check_question(&form, &oauth_revocation);
		check_question(&form, &oauth_introspection);
	}
	oauth_form_wipe(&form);
}

static void
check_authorization(struct bytes query)
{
	CLEANUP(arena_done) struct arena arena = { 0 };
	CLEANUP(buf_done) struct buf kept = { 0 }, answer = { 0 };
	struct authorization a, again;
	struct authorization_fault fault;

	if (failed(authorization_read(query, &arena, &a)))
		return;
	demand(a.values[AUTHORIZATION_CLIENT_ID].len != 0);
	demand(!authorization_check(&a, &fault) || (fault.error != NULL && fault.why != NULL));
	authorization_put(&kept, &a);
	demand(!failed(authorization_take(buf_bytes(&kept), &again)));
	for (size_t i = 0; i < AUTHORIZATION_KEPT; i++)
		demand(bytes_equal(a.values[i], again.values[i]));
	authorization_put_answer(&answer, &again, "error", query, query, query);
	for (size_t i = 0; i < answer.len; i++)
		demand(answer.at[i] > 0x20 && answer.at[i] < 0x7f && answer.at[i] != '#');
}

static void
check_page(struct bytes text)
{
	CLEANUP(buf_done) struct buf out = { 0 }, fields = { 0 };
	size_t lines = 0;

	html_put(&out, text);
	demand(bytes_is_utf8(buf_bytes(&out)));
	for (size_t i = 0; i < out.len; i++)
		demand(out.at[i] >= 0x20 && strchr("<>\"'", out.at[i]) == NULL);
	page_put_fields(&fields, text);
	for (size_t i = 0; i < fields.len; i++)
		lines += fields.at[i] == '\n';
	demand(lines == 3);
}

static void
check_ticket(struct bytes browser, struct bytes text)
{
	CLEANUP(arena_done) struct arena arena = { 0 };
	CLEANUP(buf_done) struct buf ticket = { 0 };
	const struct ticket_seal seal = { BYTES("0123456789abcdef0123456789abcdef"), "fuzz",
		                          browser };
	struct bytes back;

	demand(failed(ticket_read(&seal, text, NOW_S, &arena, &back)));
	if (failed(ticket_put(&seal, text, NOW_S, &ticket)))
		return;
	demand(!failed(ticket_read(&seal, buf_bytes(&ticket), NOW_S, &arena, &back)) &&
	       bytes_equal(back, text));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes input = { data, size > INPUT_MAX ? INPUT_MAX : size };
	struct bytes field = bytes_slice(input, 0, bytes_find(input, '\n'));
	struct bytes rest = bytes_slice(input, field.len + 1, input.len);
	struct bytes found = cookie_in(field, BYTES("gatewarden"));

	demand(found.len <= field.len && bytes_find(found, ';') == found.len);
	check_form(field, rest);
	check_authorization(rest);
	check_page(rest);
	check_ticket(field, rest);
	return 0;
}
