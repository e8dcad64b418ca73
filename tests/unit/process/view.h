/* view.h - what a worker knows of what fetcher told it. */
#ifndef TEST_VIEW_H
#define TEST_VIEW_H

#include "alone.h"
#include "identity/fetch.h"

struct view {
	struct buf parts, keys;
	unsigned key_messages, state_messages;
	int64_t stale_until_s;
	char why[200];
	char authorization_endpoint[100];
	struct buf answer;
	struct fetch_answer last; /* borrows `answer` */
};

static inline void
view_done(struct view *v)
{
	buf_done(&v->parts);
	buf_done(&v->keys);
	buf_done(&v->answer);
}

static inline void
take_text(char *to, size_t room, struct bytes text)
{
	(void)snprintf(to, room, "%.*s", (int)text.len, (const char *)text.at);
}

static inline void
take_keys(struct view *v, struct bytes body)
{
	struct fetched_keys keys;

	CHECK(!failed(fetched_keys_read(body, &keys)));
	buf_put(&v->parts, keys.part);
	if (!keys.is_last)
		return;
	buf_clear(&v->keys);
	buf_put(&v->keys, buf_bytes(&v->parts));
	buf_clear(&v->parts);
	v->stale_until_s = keys.stale_until_s;
	v->key_messages++;
}

/* true: the answer to `id`. */
static inline bool
take(struct view *v, const struct message *m, uint64_t id)
{
	struct fetched_state state;

	if (m->type == FETCH_KEYS)
		take_keys(v, m->body);
	if (m->type == FETCH_STATE) {
		CHECK(!failed(fetched_state_read(m->body, &state)));
		take_text(v->why, sizeof v->why, state.why);
		take_text(v->authorization_endpoint, sizeof v->authorization_endpoint,
		          state.authorization_endpoint);
		v->state_messages++;
	}
	if (m->type != FETCH_ANSWER || m->id != id)
		return false;
	buf_clear(&v->answer);
	buf_put(&v->answer, m->body);
	CHECK(!failed(fetch_answer_read(buf_bytes(&v->answer), &v->last)));
	return true;
}

/* Reads until that answer; with id 0 until there are keys or a reason why not. */
static inline bool
hear(int fd, struct view *v, uint64_t id)
{
	static uint8_t packet[CHANNEL_PACKET_MAX];
	ssize_t len;

	while ((len = next(fd, packet, sizeof packet)) > 0) {
		struct reader r = reader_of((struct bytes){ packet, (size_t)len });
		struct message m;
		bool found, is_done = false;

		while (!failed(channel_frame(&r, &m, &found)) && found)
			is_done |= take(v, &m, id);
		if (is_done || (id == 0 && v->state_messages > 0 &&
		                (v->key_messages > 0 || v->why[0] != '\0')))
			return true;
	}
	return false;
}

#endif
