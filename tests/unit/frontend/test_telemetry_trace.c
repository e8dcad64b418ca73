/* W3C Trace Context: the cases of its test suite, written anew, and what goes on to a service. */
#include "frontend/request.h"

#include "base/clock.h"
#include "base/macros.h"
#include "test.h"

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define SPAN "b7ad6b7169203331"
#define GOOD "00-" TRACE "-" SPAN "-01"

static struct settings settings;
static struct gate gate = { .settings = &settings };
static struct request request;

static void
begin(void)
{
	request = (struct request){ .gate = &gate };
	gate.random_left = 0;
	settings.telemetry = (struct telemetry_settings){ 0 };
}

static void
add(const char *name, struct bytes value)
{
	request.head.fields[request.head.field_count++] =
		(struct http_field){ bytes_text(name), value };
}

static struct request *
request_with(const char *parent)
{
	begin();
	if (parent != NULL)
		add("TraceParent", bytes_text(parent));
	trace_begin(&request);
	return &request;
}

static bool
is_continued(const char *parent)
{
	const struct trace *t = &request_with(parent)->trace;

	return t->has_parent && bytes_is((struct bytes){ t->hex, TRACE_HEX_LEN }, TRACE);
}

static void
test_a_well_formed_parent_is_continued(void)
{
	static const char *const good[] = {
		GOOD,
		"00-" TRACE "-" SPAN "-00",
		"00-" TRACE "-" SPAN "-ff", /* flags nobody knows yet */
		/* A later version is read as far as we know it, whatever stands behind. */
		"cc-" TRACE "-" SPAN "-01",
		"cc-" TRACE "-" SPAN "-01-what-the-future-will-be-like",
		"01-" TRACE "-" SPAN "-01-",
		"fe-" TRACE "-" SPAN "-01",
	};

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		CHECK_ROW(is_continued(good[i]), good[i]);
}

static void
test_a_malformed_parent_begins_anew(void)
{
	static const char *const bad[] = {
		"",
		"00",
		"00-" TRACE "-" SPAN,
		"00-" TRACE "-" SPAN "-",
		"00-" TRACE "-" SPAN "-1",
		"00-" TRACE "-" SPAN "-011",
		"00-" TRACE "-" SPAN "-01-",
		"00-" TRACE "-" SPAN "-01-what",
		"00-" TRACE "-" SPAN "-.0",
		"00-" TRACE "-" SPAN "-0.",
		"00-" TRACE "-" SPAN "-0G",
		"00-" TRACE "-" SPAN "-FF",
		"ff-" TRACE "-" SPAN "-01",
		"FE-" TRACE "-" SPAN "-01",
		".0-" TRACE "-" SPAN "-01",
		"0.-" TRACE "-" SPAN "-01",
		"0-" TRACE "-" SPAN "-01",
		"000-" TRACE "-" SPAN "-01",
		"cc-" TRACE "-" SPAN "-01.what-the-future-will-not-be-like",
		"cc-" TRACE "-" SPAN "-0",
		"00-00000000000000000000000000000000-" SPAN "-01",
		"00-0af7651916cd43dd8448eb211c80319-" SPAN "-01",
		"00-0af7651916cd43dd8448eb211c80319c0-" SPAN "-01",
		"00-0AF7651916CD43DD8448EB211C80319C-" SPAN "-01",
		"00-.af7651916cd43dd8448eb211c80319c-" SPAN "-01",
		"00-" TRACE "-0000000000000000-01",
		"00-" TRACE "-b7ad6b716920333-01",
		"00-" TRACE "-b7ad6b71692033311-01",
		"00-" TRACE "-B7AD6B7169203331-01",
		"00-" TRACE "-b7ad6b716920333.-01",
		"00_" TRACE "-" SPAN "-01",
		"00-" TRACE "_" SPAN "-01",
		"00-" TRACE "-" SPAN "_01",
		" " GOOD,
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK_ROW(!is_continued(bad[i]), bad[i]);
		CHECK_ROW(!request.trace.has_parent && !request.trace.is_sampled, bad[i]);
	}
}

static void
test_two_parents_are_none(void)
{
	begin();
	add("traceparent", BYTES(GOOD));
	add("TRACEPARENT", BYTES(GOOD));
	trace_begin(&request);
	CHECK(!request.trace.has_parent);
}

static void
test_every_request_has_ids_of_its_own(void)
{
	struct trace first = request_with(NULL)->trace;
	struct trace second = request_with(NULL)->trace;

	CHECK(!first.has_parent && !first.is_sampled);
	CHECK(memcmp(first.id, second.id, sizeof first.id) != 0);
	CHECK(memcmp(first.span, second.span, sizeof first.span) != 0);
	CHECK(memcmp(first.span, first.service_span, sizeof first.span) != 0);
}

static void
test_the_callers_word_on_sampling_counts(void)
{
	CHECK(request_with(GOOD)->trace.is_sampled);
	CHECK(!request_with("00-" TRACE "-" SPAN "-00")->trace.is_sampled);
	CHECK(!request_with("00-" TRACE "-" SPAN "-02")->trace.is_sampled);
}

static unsigned
count_sampled(unsigned ppm)
{
	unsigned count = 0;

	for (int i = 0; i < 4000; i++) {
		begin();
		settings.telemetry.traces_url = "http://127.0.0.1:4318/v1/traces";
		settings.telemetry.sample_ppm = ppm;
		trace_begin(&request);
		count += request.trace.is_sampled;
	}
	return count;
}

static void
test_of_new_traces_a_share_is_sampled(void)
{
	CHECK(count_sampled(0) == 0);
	CHECK(count_sampled(1000000) == 4000);
	unsigned tenth = count_sampled(100000); /* 400, by chance ever within ten deviations */
	CHECK(tenth > 200 && tenth < 600);
}

/* What a service is sent */

static struct buf lines;

static struct bytes
sent(void)
{
	buf_clear(&lines);
	trace_put(&request, &lines);
	return buf_bytes(&lines);
}

static void
test_a_service_continues_the_trace_below_us(void)
{
	request_with(GOOD);
	struct bytes text = sent();

	CHECK(bytes_starts(text, BYTES("traceparent: 00-" TRACE "-")));
	CHECK(text.len == strlen("traceparent: " GOOD "\r\n"));
	CHECK(!bytes_equal(bytes_slice(text, 49, 65), BYTES(SPAN)));
	CHECK(bytes_is(bytes_slice(text, 65, text.len), "-01\r\n"));
	request_with("cc-" TRACE "-" SPAN "-00-more");
	CHECK(bytes_starts(sent(), BYTES("traceparent: 00-" TRACE "-")));
	buf_done(&lines);
}

/* "" where nothing of it may go on. */
static struct bytes
state_for(const struct bytes *values, size_t count)
{
	begin();
	add("traceparent", BYTES(GOOD));
	for (size_t i = 0; i < count; i++)
		add("TraceState", values[i]);
	trace_begin(&request);
	struct bytes text = sent();
	size_t end = bytes_find(text, '\n') + 1;
	text = bytes_slice(text, end, text.len);
	return bytes_starts(text, BYTES("tracestate: ")) ? bytes_slice(text, 12, text.len - 2)
	                                                 : text;
}

static void
test_states_go_on_as_they_are(void)
{
	static const struct {
		const char *in[3], *out;
	} rows[] = {
		{ { "foo=1,bar=2" }, "foo=1,bar=2" },
		{ { "foo=1", "bar=2" }, "foo=1,bar=2" },
		{ { "foo=1", "", "bar=2" }, "foo=1,bar=2" },
		{ { "foo=1 \t , \t bar=2, \t baz=3" }, "foo=1,bar=2,baz=3" },
		{ { "foo=1\t \t,\t \tbar=2,\t \tbaz=3" }, "foo=1,bar=2,baz=3" },
		{ { "foo=1,," }, "foo=1" },
		{ { "foo=1,foo=2" }, "foo=1,foo=2" }, /* nobody's business but the vendor's */
		{ { "foo-_*/bar=bar4" }, "foo-_*/bar=bar4" },
		{ { "foo@bar=1,0a@b=2" }, "foo@bar=1,0a@b=2" },
		{ { "foo= 1 2" }, "foo= 1 2" },
		{ { "foo=!\"#$%&'()*+-./0123456789:;<>?@AZ[\\]^_`az{|}~" },
		  "foo=!\"#$%&'()*+-./0123456789:;<>?@AZ[\\]^_`az{|}~" },
		{ { "" }, "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bytes values[3];
		size_t count = 0;

		for (; count < 3 && rows[i].in[count] != NULL; count++)
			values[count] = bytes_text(rows[i].in[count]);
		CHECK_ROW(bytes_is(state_for(values, count), rows[i].out), rows[i].out);
	}
	buf_done(&lines);
}

static void
test_a_malformed_state_goes_nowhere(void)
{
	static const char *const bad[] = {
		"foo",
		"foo=",
		"=1",
		"foo=1,bar=",
		"foo=,bar=3",
		"foo =1",
		"FOO=1",
		"foo.bar=1",
		"0foo=1",
		"foo@=1,bar=2",
		"@foo=1,bar=2",
		"foo@@bar=1,bar=2",
		"foo@bar@baz=1,bar=2",
		"foo@0bar=1",
		"foo=bar=baz",
		"foo=\x80",
		"foo=1,bar=2\tx",
		"foo=1;bar=2 =",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct bytes value = bytes_text(bad[i]);
		CHECK_ROW(state_for(&value, 1).len == 0, bad[i]);
	}
	/* One line that is malformed spoils the others. */
	const struct bytes two[] = { BYTES("foo=1"), BYTES("bar") };
	CHECK(state_for(two, 2).len == 0);
	buf_done(&lines);
}

static bool
goes_on(const char *format, unsigned len)
{
	char text[600];
	struct buf state = { .at = (uint8_t *)text, .room = sizeof text, .limit = sizeof text };

	for (const char *c = format; *c != '\0'; c++)
		for (unsigned i = 0; i < (*c == 'Z' ? len : 1); i++)
			buf_put_u8(&state, (uint8_t)(*c == 'Z' ? 'z' : *c));
	struct bytes value = buf_bytes(&state);
	return bytes_equal(state_for(&value, 1), value);
}

static void
test_keys_and_values_have_their_lengths(void)
{
	CHECK(goes_on("Z=1", 256) && !goes_on("Z=1", 257));
	CHECK(goes_on("Z@v=1", 241) && !goes_on("Z@v=1", 242));
	CHECK(goes_on("t@Z=1", 14) && !goes_on("t@Z=1", 15));
	CHECK(goes_on("k=Z", 256) && !goes_on("k=Z", 257));
	buf_done(&lines);
}

static void
test_a_state_has_32_members_and_a_length(void)
{
	CLEANUP(buf_done) struct buf many = { 0 };

	for (int i = 0; i < 32; i++)
		buf_printf(&many, "%sbar%02d=%02d", i > 0 ? "," : "", i, i);
	struct bytes value = buf_bytes(&many);
	CHECK(bytes_equal(state_for(&value, 1), value));
	buf_put_text(&many, ",bar32=32");
	value = buf_bytes(&many);
	CHECK(state_for(&value, 1).len == 0);

	buf_clear(&many);
	for (int i = 0; i < 20; i++)
		buf_printf(&many, "%skey%02d=%0200d", i > 0 ? "," : "", i, i);
	value = buf_bytes(&many);
	struct bytes out = state_for(&value, 1);
	CHECK(out.len > 512 && out.len <= 2048 && bytes_starts(value, out) &&
	      value.at[out.len] == ',');
	buf_done(&lines);
}

static void
test_a_state_without_a_parent_goes_nowhere(void)
{
	begin();
	add("tracestate", BYTES("foo=1"));
	trace_begin(&request);
	CHECK(bytes_find(sent(), '\n') == lines.len - 1);
	buf_done(&lines);
}

/* Times */

static void
test_stages_are_told_where_it_is_configured(void)
{
	CLEANUP(buf_done) struct buf out = { 0 };

	begin();
	request.started_us = clock_monotonic_us() - 5000;
	request.timing = (struct timing){ .identified_us = request.started_us + 12,
		                          .decided_us = request.started_us + 15,
		                          .forwarded_us = request.started_us + 20,
		                          .answered_us = request.started_us + 1254,
		                          .recording_us = request.started_us + 1300,
		                          .recorded_us = request.started_us + 1400 };
	timing_put(&request, &out);
	CHECK(out.len == 0);
	settings.telemetry.has_server_timing = true;
	timing_put(&request, &out);
	CHECK(bytes_starts(buf_bytes(&out),
	                   BYTES("Server-Timing: identify;dur=0.012, decide;dur=0.003, "
	                         "record;dur=0.100, service;dur=1.234, total;dur=")));
	CHECK(out.at[out.len - 1] == '\n');
	/* What was not reached is not told. */
	buf_clear(&out);
	request.timing = (struct timing){ .identified_us = request.started_us + 1 };
	timing_put(&request, &out);
	CHECK(bytes_starts(buf_bytes(&out),
	                   BYTES("Server-Timing: identify;dur=0.001, total;dur=")));
}

TESTS(TEST(test_a_well_formed_parent_is_continued), TEST(test_a_malformed_parent_begins_anew),
      TEST(test_two_parents_are_none), TEST(test_every_request_has_ids_of_its_own),
      TEST(test_the_callers_word_on_sampling_counts), TEST(test_of_new_traces_a_share_is_sampled),
      TEST(test_a_service_continues_the_trace_below_us), TEST(test_states_go_on_as_they_are),
      TEST(test_a_malformed_state_goes_nowhere), TEST(test_keys_and_values_have_their_lengths),
      TEST(test_a_state_has_32_members_and_a_length),
      TEST(test_a_state_without_a_parent_goes_nowhere),
      TEST(test_stages_are_told_where_it_is_configured))
