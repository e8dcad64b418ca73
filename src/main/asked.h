/* asked.h - a request as the REST frontend reads it: `explain` runs the gateway's own code up to
 * the decision, so that the two cannot differ. No body, no backend, no cursor is looked at. */
#ifndef MAIN_ASKED_H
#define MAIN_ASKED_H

#include "frontend/request.h"

/* Zeroed before use. Made with settings, policy and who (all borrowed) in it. */
struct asked {
	struct gate gate;
	struct metrics_worker counters; /* counted for nobody */
	struct request
		request; /* has decision, grant, resource and detail; the grant lives as long */
};

/* ERR_PEER, before anything is decided: the gateway would not serve such a target. */
struct err asked_read(struct asked *a, enum http_method method, const char *target);
/* ERR_DENIED, and request.decision says by what; ERR_PEER: malformed, the gateway answers 400, or
 * `.code`. */
struct err asked_decide(struct asked *a);
void asked_done(struct asked *a);

#endif
