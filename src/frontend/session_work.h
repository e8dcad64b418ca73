/* session_work.h - what a login or logout is at, while it waits for other processes. For
 * session_*.c only. */
#ifndef FRONTEND_SESSION_WORK_H
#define FRONTEND_SESSION_WORK_H

#include "format/json.h"
#include "frontend/session.h"

/* In the request's arena, as all it names. */
struct session_work {
	stage_fn *next;              /* goes on with the answer */
	struct answer answer;        /* of keeper: GRANTED or REFUSED */
	struct fetch_answer fetched; /* of fetcher: DONE or REFUSED */
	unsigned issuer;             /* index in the settings */
	struct bytes return_to, nonce, verifier, id_token;
	bool has_refreshed;    /* what the provider says of itself was asked for anew */
	bool is_form_again;    /* the login form is shown again, */
	struct bytes username; /* with this name in it */
};

static inline struct session_work *
session_work(const struct request *r)
{
	return r->state;
}

/* An endpoint's execute: `first` begins; each answer goes to session_work.next. ERR_PEER with 404
 * where no sessions are configured. */
struct err session_run(struct request *r, stage_fn *first, enum step *step);
/* The answer is in session_work.answer; what keeper could not say is an error. */
struct err session_ask_keeper(struct request *r, const struct ask *ask, stage_fn *next,
                              enum step *step);
/* The same for session_work.fetched. */
struct err session_ask_fetcher(struct request *r, const struct fetch_ask *ask, stage_fn *next,
                               enum step *step);
/* For a waiter of another kind: its `wake`, without an answer. */
void session_woken(struct waiter *w, const struct message *answer, struct err e);

/* A parameter of a query or form; empty: it is not there. ERR_PEER when it stands twice. */
struct session_form {
	struct url_parameter all[URL_PARAMETERS_MAX];
	size_t count;
};
struct err session_parameter(const struct session_form *f, const char *name, struct bytes *ret);

/* "&name=value", encoded. */
void session_put_parameter(struct buf *out, const char *name, struct bytes value);
/* An endpoint of a provider, to be written into Location: visible ASCII without fragment. */
bool session_is_redirect_target(struct bytes url);

/* The last step of each login: claims (an object) of the issuer become a session, and the answer is
 * a redirect to return_to. */
struct err session_begin(struct request *r, const struct json *claims, enum step *step);
/* Our own login form, for return_to. `problem` as in login_page.h. */
struct err session_put_form(struct request *r, const char *problem);

#endif
