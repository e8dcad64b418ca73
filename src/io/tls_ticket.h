/* tls_ticket.h - the keys that session tickets are sealed under (RFC 5077 section 4): they follow
 * by HKDF from one secret that all workers share and from the hour, so that any of them resumes
 * what another began, and a key that leaks opens two hours at most. */
#ifndef IO_TLS_TICKET_H
#define IO_TLS_TICKET_H

#include "base/bytes.h"

enum { TICKET_NAME_LEN = 16, TICKET_CIPHER_LEN = 32, TICKET_MAC_LEN = 32, TICKET_HOUR_S = 3600 };

struct ticket_key {
	int64_t hour;
	uint8_t name[TICKET_NAME_LEN]; /* stands in the ticket, and says nothing of the others */
	uint8_t cipher[TICKET_CIPHER_LEN];
	uint8_t mac[TICKET_MAC_LEN];
};

struct tickets {
	bool has_secret;
	uint8_t secret[32];
	struct ticket_key keys[2]; /* of this hour, and of the one before */
};

void tickets_set_secret(struct tickets *t, const uint8_t secret[32]);
/* To seal with; NULL: there is no secret yet, or OpenSSL failed. */
const struct ticket_key *tickets_now(struct tickets *t, int64_t now_s);
/* To open a ticket with this name; NULL: too old, or not ours. */
const struct ticket_key *tickets_find(struct tickets *t, int64_t now_s,
                                      const uint8_t name[TICKET_NAME_LEN]);
void tickets_wipe(struct tickets *t);

/* When the handshake was made that a ticket goes back to, as the ticket tells it. A ticket that is
 * given for a ticket tells the same, so that nobody resumes for ever what was checked once. */
enum { TICKET_BIRTH_LEN = 8, TICKET_LIFE_S = 2 * TICKET_HOUR_S };
void ticket_birth_put(uint8_t ret[TICKET_BIRTH_LEN], int64_t now_s);
/* false: too long ago, or not told. */
bool ticket_birth_is_recent(struct bytes birth, int64_t now_s);

#endif
