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

/* `host`: the authority, without port. ERR_PEER, before anything is decided: the gateway would not
 * serve such a target. */
struct err asked_read(struct asked *a, enum http_method method, struct bytes host,
                      const char *target);
/* Does the request go to a service behind us, or fit no path at all where there are routes? Then
 * request.route is its route, or -1. Needs the policy. */
bool asked_is_routed(struct asked *a);
/* As asked_decide(), for what is routed; ERR_IDENTITY where nobody asks. */
struct err asked_decide_route(struct asked *a);
/* ERR_DENIED, and request.decision says by what; ERR_PEER: malformed, the gateway answers 400, or
 * `.code`. */
struct err asked_decide(struct asked *a);
void asked_done(struct asked *a);

#endif
