/* answer.h - what the caller is told: the table from error kind to status, the bodies of errors,
 * and of every answer what both versions of HTTP send alike. How its bytes stand on the wire is
 * answer_http1.c's and http2_carrier.c's. */
#ifndef FRONTEND_ANSWER_H
#define FRONTEND_ANSWER_H

#include "frontend/request.h"

/* An error of the head itself, before there is a request: its status, fields besides Date and those
 * that frame it, and its body. */
unsigned answer_refusal(struct err e, struct buf *lines, struct buf *body);

/* All fields but Date and those that frame the body. */
void answer_fields(struct request *r, struct buf *out);
/* Its status allows one; a HEAD's answer tells of it and does not send it. */
bool answer_has_body(const struct request *r);
/* Of the body, or of this part of it. */
size_t answer_length(const struct request *r);
/* The head is on its way. */
void answer_begin(struct request *r);
/* Makes the next part of a body when this one was taken. STEP_MORE: it must be waited for. */
struct err answer_fill(struct request *r, enum step *step);
/* The next bytes of this part, at most `max`. */
struct bytes answer_take(struct request *r, size_t max);
bool answer_is_taken(const struct request *r);
/* All was taken, and its end may be told. */
bool answer_may_end(const struct request *r);

/* answer_http1.c: the next bytes of the answer; none when all were put, or with STEP_MORE when they
 * must be waited for. */
struct err answer_next(struct request *r, struct buf *out, bool close, enum step *step);
void answer_put_refusal(struct gate *g, struct buf *out, struct err e);

#endif
