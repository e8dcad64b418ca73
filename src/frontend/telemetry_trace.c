/* telemetry_trace.c - the trace a request belongs to (W3C Trace Context, level 1, 23 November
 * 2021), and the times of its stages (Server Timing). */
#include "base/clock.h"
#include "base/macros.h"
#include "frontend/endpoint.h"
#include "frontend/server.h"

enum {
	PARENT_LEN = 55,  /* of version 00: section 3.2.2 */
	MEMBERS_MAX = 32, /* of tracestate: section 3.3.1.1 */
	STATE_MAX = 2048, /* we pass on more than the 512 that section 3.3.1.5 asks for */
	KEY_MAX = 256,    /* section 3.3.1.3 */
	TENANT_MAX = 241,
	SYSTEM_MAX = 14,
	VALUE_MAX = 256,
	FLAG_SAMPLED = 1,
};

/* traceparent */

static int
nibble(uint8_t c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Lower-case hex. */
static bool
read_hex(struct bytes text, uint8_t *ret)
{
	for (size_t i = 0; i < text.len; i += 2) {
		int high = nibble(text.at[i]), low = nibble(text.at[i + 1]);

		if (high < 0 || low < 0)
			return false;
		ret[i / 2] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool
is_zero(const uint8_t *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (at[i] != 0)
			return false;
	return true;
}

bool
trace_parse(struct bytes parent, struct trace *ret)
{
	uint8_t version, flags, id[TRACE_ID_LEN], span[SPAN_ID_LEN];

	if (parent.len < PARENT_LEN || parent.at[2] != '-' || parent.at[35] != '-' ||
	    parent.at[52] != '-')
		return false;
	if (!read_hex(bytes_slice(parent, 0, 2), &version) ||
	    !read_hex(bytes_slice(parent, 3, 35), id) ||
	    !read_hex(bytes_slice(parent, 36, 52), span) ||
	    !read_hex(bytes_slice(parent, 53, PARENT_LEN), &flags))
		return false;
	if (version == 0xff || is_zero(id, sizeof id) || is_zero(span, sizeof span))
		return false;
	if (parent.len > PARENT_LEN && (version == 0 || parent.at[PARENT_LEN] != '-'))
		return false;
	memcpy(ret->id, id, sizeof id);
	memcpy(ret->parent, span, sizeof span);
	ret->has_parent = true;
	ret->is_sampled = (flags & FLAG_SAMPLED) != 0;
	return true;
}

/* Of the random part of the id, so that all who see this trace may come to the same end. */
static bool
is_drawn(const struct trace *t, const struct telemetry_settings *s)
{
	uint32_t number = (uint32_t)t->id[12] << 24 | (uint32_t)t->id[13] << 16 |
	                  (uint32_t)t->id[14] << 8 | t->id[15];

	return s->traces_url != NULL && (uint64_t)number * 1000000 >> 32 < s->sample_ppm;
}

static void
note_connection(struct trace *t, const struct carrier *c)
{
	if (c == NULL)
		return;
	t->is_told = c->server == NULL || c->server->endpoints != admin_endpoints;
	t->is_http2 = c->is_http2;
	t->tls_version = c->secure != NULL ? c->secure->version : 0;
}

void
trace_begin(struct request *r)
{
	struct trace *t = &r->trace;
	struct bytes parent = { 0 };
	uint8_t spans[2 * SPAN_ID_LEN];
	struct buf hex = { .at = t->hex, .room = sizeof t->hex, .limit = sizeof t->hex };

	/* One that stands twice is none (section 4.3). */
	bool has_one = !failed(http_field_single(&r->head, "traceparent", &parent));
	if (!has_one || !trace_parse(parent, t)) {
		gate_random(r->gate, t->id, sizeof t->id);
		t->is_sampled = is_drawn(t, &r->gate->settings->telemetry);
	}
	gate_random(r->gate, spans, sizeof spans);
	memcpy(t->span, spans, SPAN_ID_LEN);
	memcpy(t->service_span, spans + SPAN_ID_LEN, SPAN_ID_LEN);
	buf_put_hex(&hex, (struct bytes){ t->id, sizeof t->id });
	note_connection(t, r->carrier);
}

/* tracestate */

static bool
is_key_byte(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
	       c == '*' || c == '/';
}

static bool
is_key_part(struct bytes part, size_t max, bool may_begin_with_digit)
{
	if (part.len == 0 || part.len > max)
		return false;
	for (size_t i = 0; i < part.len; i++)
		if (!is_key_byte(part.at[i]))
			return false;
	return (part.at[0] >= 'a' && part.at[0] <= 'z') ||
	       (may_begin_with_digit && part.at[0] >= '0' && part.at[0] <= '9');
}

static bool
is_key(struct bytes key)
{
	size_t at = bytes_find(key, '@');

	if (at == key.len)
		return is_key_part(key, KEY_MAX, false);
	return is_key_part(bytes_slice(key, 0, at), TENANT_MAX, true) &&
	       is_key_part(bytes_slice(key, at + 1, key.len), SYSTEM_MAX, false);
}

static bool
is_member(struct bytes member)
{
	size_t equals = bytes_find(member, '=');
	struct bytes value = bytes_slice(member, equals + 1, member.len);

	if (equals == member.len || value.len == 0 || value.len > VALUE_MAX)
		return false;
	for (size_t i = 0; i < value.len; i++)
		if (value.at[i] < 0x20 || value.at[i] > 0x7e || value.at[i] == '=')
			return false;
	return is_key(bytes_slice(member, 0, equals));
}

/* Puts the members of one field line. false: what is malformed anywhere is nowhere believed. What
 * is past our bound is left out: the rightmost are the oldest. */
static bool
put_members(struct buf *out, struct bytes list, unsigned *count)
{
	while (list.len > 0) {
		struct bytes item = bytes_slice(list, 0, bytes_find(list, ','));
		struct bytes member = http_trim(item);

		list = bytes_slice(list, item.len + 1, list.len);
		if (member.len == 0)
			continue;
		if (!is_member(member) || ++*count > MEMBERS_MAX)
			return false;
		if (out->len + member.len >= STATE_MAX)
			continue;
		if (out->len > 0)
			buf_put_u8(out, ',');
		buf_put(out, member);
	}
	return true;
}

static void
put_state(const struct request *r, struct buf *lines)
{
	uint8_t room[STATE_MAX];
	struct buf state = { .at = room, .room = sizeof room, .limit = sizeof room };
	unsigned count = 0;

	for (size_t i = 0; i < r->head.field_count; i++) {
		const struct http_field *f = &r->head.fields[i];
		if (bytes_equal_nocase(f->name, BYTES("tracestate")) &&
		    !put_members(&state, f->value, &count))
			return;
	}
	if (state.len == 0)
		return;
	buf_put_text(lines, "tracestate: ");
	buf_put(lines, buf_bytes(&state));
	buf_put_text(lines, "\r\n");
}

void
trace_put(const struct request *r, struct buf *lines)
{
	const struct trace *t = &r->trace;

	buf_put_text(lines, "traceparent: 00-");
	buf_put(lines, (struct bytes){ t->hex, sizeof t->hex });
	buf_put_u8(lines, '-');
	buf_put_hex(lines, (struct bytes){ t->service_span, sizeof t->service_span });
	buf_put_text(lines, t->is_sampled ? "-01\r\n" : "-00\r\n");
	if (t->has_parent)
		put_state(r, lines);
}

/* Times */

void
timing_mark(struct request *r, unsigned stage)
{
	static const size_t offsets[STAGE_COUNT] = {
		[STAGE_IDENTIFY] = offsetof(struct timing, identified_us),
		[STAGE_DECIDE] = offsetof(struct timing, decided_us),
		[STAGE_ANSWER] = offsetof(struct timing, recording_us),
		[STAGE_RECORD] = offsetof(struct timing, recorded_us),
	};
	bool is_marked = stage == STAGE_IDENTIFY || stage == STAGE_DECIDE ||
	                 stage == STAGE_ANSWER || stage == STAGE_RECORD;

	if (!is_marked || r->is_completion || !r->gate->settings->telemetry.has_server_timing)
		return;
	*(uint64_t *)(void *)((char *)&r->timing + offsets[stage]) = clock_monotonic_us();
}

static void
put_duration(struct buf *lines, const char *name, uint64_t from_us, uint64_t to_us)
{
	if (from_us == 0 || to_us < from_us)
		return;
	uint64_t us = to_us - from_us;
	buf_printf(lines, "%s;dur=%lu.%03lu, ", name, us / 1000, us % 1000);
}

void
timing_put(const struct request *r, struct buf *lines)
{
	const struct timing *t = &r->timing;
	uint64_t now_us;

	if (!r->gate->settings->telemetry.has_server_timing)
		return;
	now_us = clock_monotonic_us();
	buf_put_text(lines, "Server-Timing: ");
	put_duration(lines, "identify", r->started_us, t->identified_us);
	put_duration(lines, "decide", t->identified_us, t->decided_us);
	put_duration(lines, "record", t->recording_us, t->recorded_us);
	put_duration(lines, "service", t->forwarded_us, t->answered_us);
	uint64_t us = now_us - r->started_us;
	buf_printf(lines, "total;dur=%lu.%03lu\r\n", us / 1000, us % 1000);
}
