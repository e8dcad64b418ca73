/* A worker that was taken over, against the real keeper and ledger: whatever it sends costs it its
 * channel and nobody else anything. The test is the supervisor, and the workers too. */
#include "audit/message.h"
#include "audit/record.h"
#include "identity/ask.h"
#include "alone.h"

static const char config[] =
	"{\"listen\":{\"http\":\"127.0.0.1:8080\"},\"issuers\":{\"local\":{\"type\":\"local\","
	"\"audience\":\"a\"}},"
	"\"backends\":{\"b\":{\"type\":\"sqlite\",\"path\":\"b.db\"}},\"roles\":{\"r\":{\"granted_"
	"by\":[\"local:r\"]}},"
	"\"resources\":{\"t\":{\"backend\":\"b\",\"table\":\"t\",\"allow\":{\"r\":[\"read\"]}}},"
	"\"login\":{\"hash_workers\":1},\"audit\":{\"path\":\"audit/"
	"\"},\"state\":{\"path\":\"state/\"}}";

static struct buf
login_frame(uint64_t id, const char *user)
{
	CLEANUP(buf_done) struct buf body = { 0 };

	ask_put(&body, &(struct ask){ .kind = ASK_PASSWORD,
	                              .fields[ASK_USER] = bytes_text(user),
	                              .fields[ASK_PASSWORD_TEXT] = BYTES("a password of mine"),
	                              .fields[ASK_ADDRESS] = BYTES("192.0.2.1") });
	return frame(KEEPER_ASK, id, buf_bytes(&body));
}

static struct buf
refresh_frame(uint64_t id)
{
	CLEANUP(buf_done) struct buf body = { 0 };

	ask_put(&body, &(struct ask){ .kind = ASK_REFRESH,
	                              .fields[ASK_REFRESH_TOKEN] = BYTES("not one"),
	                              .fields[ASK_ADDRESS] = BYTES("192.0.2.1") });
	return frame(KEEPER_ASK, id, buf_bytes(&body));
}

static struct buf
record_frame(uint64_t id)
{
	CLEANUP(buf_done) struct buf body = { 0 };

	audit_record_put(&body,
	                 &(struct audit_record){ .decision = BYTES("01J00000000000000000000000"),
	                                         .class = AUDIT_API,
	                                         .outcome = AUDIT_DENIED,
	                                         .rows = -1 });
	return frame(LEDGER_RECORD, id, buf_bytes(&body));
}

/* Garbage */

static void
send_garbage(struct process *p)
{
	static const uint8_t cut[10] = { 0 };
	static const uint8_t reserved[CHANNEL_HEADER] = { [4] = KEEPER_ASK, [6] = 1 };
	static const uint8_t too_long[CHANNEL_HEADER] = { 0xff, 0xff, 0xff, 0xff, KEEPER_ASK };
	static const uint8_t body_missing[CHANNEL_HEADER] = { 8, 0, 0, 0, KEEPER_ASK };
	static const uint8_t no_type[CHANNEL_HEADER] = { 0 };
	static const uint8_t odd_type[CHANNEL_HEADER] = { 0, 0, 0, 0, 0xff, 0xff };
	static const uint8_t no_body[CHANNEL_HEADER] = { [4] = 1, [8] = 1 };
	static const uint8_t bad_body[CHANNEL_HEADER + 4] = {
		4, 0, 0, 0, [4] = KEEPER_ASK, [8] = 1, [16] = 0xff, 0xff, 0xff, 0xff
	};
	const struct bytes packets[] = {
		{ cut, sizeof cut },           { reserved, sizeof reserved },
		{ too_long, sizeof too_long }, { body_missing, sizeof body_missing },
		{ no_type, sizeof no_type },   { odd_type, sizeof odd_type },
		{ no_body, sizeof no_body },   { bad_body, sizeof bad_body }
	};

	for (size_t i = 0; i < ARRAY_LEN(packets); i++) {
		int fd = join(p);
		CHECK(send(fd, packets[i].at, packets[i].len, MSG_NOSIGNAL) ==
		      (ssize_t)packets[i].len);
		CHECK(is_closed(fd));
		close(fd);
	}
}

static void
test_garbage_closes_the_workers_channel_and_no_other(void)
{
	struct process keeper, ledger;

	if (!start(&keeper, ROLE_KEEPER, config) || !start(&ledger, ROLE_LEDGER, config))
		return;
	int asker = join(&keeper), writer = join(&ledger);
	send_garbage(&keeper);
	send_garbage(&ledger);
	send_frame(asker, login_frame(7, "nobody"));
	CHECK(has_answer(asker, KEEPER_ANSWER, 7));
	send_frame(writer, record_frame(7));
	CHECK(has_answer(writer, LEDGER_KEPT, 7));
	close(asker);
	close(writer);
	stop(&keeper);
	stop(&ledger);
}

/* Descriptors */

static void
check_fds(enum role role)
{
	struct process p;
	const int gifts[GIFTS_MAX] = { 0, 1, 2, 0 };

	if (!start(&p, role, config))
		return;
	int honest = join(&p);
	send_frame(honest, role == ROLE_KEEPER ? refresh_frame(1) : record_frame(1));
	CHECK(has_answer(honest, role == ROLE_KEEPER ? KEEPER_ANSWER : LEDGER_KEPT, 1));
	size_t before = count_fds(p.pid);
	if (before == 0)
		test_skipped = "descriptors of another process cannot be counted";
	for (size_t i = 0; i < 16; i++) {
		CLEANUP(buf_done)
		struct buf out = role == ROLE_KEEPER ? refresh_frame(2) : record_frame(2);
		int fd = join(&p);

		CHECK(send_fds(fd, buf_bytes(&out), gifts, i % GIFTS_MAX + 1));
		CHECK(is_closed(fd));
		close(fd);
	}
	send_frame(honest, role == ROLE_KEEPER ? refresh_frame(3) : record_frame(3));
	CHECK(has_answer(honest, role == ROLE_KEEPER ? KEEPER_ANSWER : LEDGER_KEPT, 3));
	CHECK(count_fds(p.pid) == before);
	close(honest);
	stop(&p);
}

static void
test_descriptors_handed_to_keeper_are_closed(void)
{
	check_fds(ROLE_KEEPER);
}

static void
test_descriptors_handed_to_the_ledger_are_closed(void)
{
	check_fds(ROLE_LEDGER);
}

/* Floods */

/* Frames in the packets that come until there are `count`, or none come any more. */
static size_t
count_answers(int fd, size_t count)
{
	static uint8_t packet[CHANNEL_PACKET_MAX];
	size_t seen = 0;

	while (seen < count) {
		ssize_t len = next(fd, packet, sizeof packet);
		struct reader r = { packet, packet + (len > 0 ? len : 0) };
		struct message m;
		bool found = true;

		if (len <= 0)
			break;
		while (!failed(channel_frame(&r, &m, &found)) && found)
			seen += m.type == KEEPER_ANSWER;
	}
	return seen;
}

static void
test_a_worker_that_asks_and_does_not_read_waits_and_holds_up_no_other(void)
{
	struct process p;
	size_t sent = 0;

	if (!start(&p, ROLE_KEEPER, config))
		return;
	int fd = join(&p), honest = join(&p);
	CLEANUP(buf_done) struct buf out = refresh_frame(1);
	for (;;) {
		struct pollfd wait = { .fd = fd, .events = POLLOUT };
		if (send(fd, out.at, out.len, MSG_NOSIGNAL) > 0)
			sent++;
		else if (errno != EAGAIN || poll(&wait, 1, WAIT_MS) != 1)
			break;
	}
	CHECK(errno == EAGAIN);
	printf("# waits after %zu questions\n", sent);
	send_frame(honest, login_frame(7, "nobody"));
	CHECK(has_answer(honest, KEEPER_ANSWER, 7));
	/* Nothing is lost: as it reads on, all is answered. */
	CHECK(count_answers(fd, sent) == sent);
	close(fd);
	close(honest);
	stop(&p);
}

static void
test_guesses_sent_all_at_once_are_throttled_like_any(void)
{
	enum { GUESSES = 24 };
	struct process p;
	unsigned refused = 0, wait = 0;

	if (!start(&p, ROLE_KEEPER, config))
		return;
	int fd = join(&p);
	for (uint64_t id = 1; id <= GUESSES; id++)
		send_frame(fd, login_frame(id, "ada"));
	while (refused + wait < GUESSES) {
		static uint8_t packet[CHANNEL_PACKET_MAX];
		ssize_t len = next(fd, packet, sizeof packet);
		struct reader r = { packet, packet + (len > 0 ? len : 0) };
		struct answer a;
		struct message m;
		bool found = true;

		CHECK(len > 0);
		if (len <= 0)
			break;
		while (!failed(channel_frame(&r, &m, &found)) && found)
			if (m.type == KEEPER_ANSWER && !failed(answer_read(m.body, &a)))
				*(a.result == ANSWER_WAIT ? &wait : &refused) += 1;
	}
	/* Three are free of charge, one more is looked at once its second has passed. */
	CHECK(refused >= 3 && refused <= 5);
	printf("# %u looked at, %u told to wait\n", refused, wait);
	close(fd);
	stop(&p);
}

static void
test_ids_in_any_order_confuse_only_their_sender(void)
{
	static const uint64_t ids[] = { 9, 3, UINT64_MAX, 3, 1 };
	struct process p;

	if (!start(&p, ROLE_LEDGER, config))
		return;
	int fd = join(&p), honest = join(&p);
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		send_frame(fd, record_frame(ids[i]));
		CHECK(has_answer(fd, LEDGER_KEPT, ids[i]));
	}
	send_frame(fd, record_frame(0));
	CHECK(is_closed(fd));
	send_frame(honest, record_frame(1));
	CHECK(has_answer(honest, LEDGER_KEPT, 1));
	close(fd);
	close(honest);
	stop(&p);
}

TESTS(TEST(test_garbage_closes_the_workers_channel_and_no_other),
      TEST(test_descriptors_handed_to_keeper_are_closed),
      TEST(test_descriptors_handed_to_the_ledger_are_closed),
      TEST(test_a_worker_that_asks_and_does_not_read_waits_and_holds_up_no_other),
      TEST(test_guesses_sent_all_at_once_are_throttled_like_any),
      TEST(test_ids_in_any_order_confuse_only_their_sender))
