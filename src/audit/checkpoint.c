/* checkpoint.c - see checkpoint.h. C2SP signed-note and tlog-checkpoint. */
#include "audit/checkpoint.h"

#include <stdio.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "audit/directory.h"
#include "base/macros.h"
#include "format/base64.h"
#include "format/moment.h"

enum { SIGNATURE_LEN = 64, KEY_ID_LEN = 4 };

/* The signed text: three lines a checkpoint must have, and when it was made. */
static void
put_text(struct buf *out, const struct checkpoint_key *k, const struct checkpoint *c)
{
	buf_put_text(out, k->origin);
	buf_put_u8(out, '\n');
	buf_put_unsigned(out, c->sequence);
	buf_put_u8(out, '\n');
	base64_put(out, (struct bytes){ c->head, AUDIT_HASH_LEN }, true);
	buf_put(out, BYTES("\ntime "));
	moment_put_timestamp(out, c->time_us);
	buf_put_u8(out, '\n');
}

static void
context_free(EVP_MD_CTX **context)
{
	EVP_MD_CTX_free(*context);
}

static struct err
sign(const struct checkpoint_key *k, struct bytes text, uint8_t ret[SIGNATURE_LEN])
{
	EVP_MD_CTX *context CLEANUP(context_free) = EVP_MD_CTX_new();
	size_t len = SIGNATURE_LEN;

	if (context == NULL || EVP_DigestSignInit(context, NULL, NULL, NULL, k->key) != 1 ||
	    EVP_DigestSign(context, ret, &len, text.at, text.len) != 1 || len != SIGNATURE_LEN)
		return fail(ERR_SYSTEM, "cannot sign a checkpoint");
	return OK;
}

static struct err
verify(const struct checkpoint_key *k, struct bytes text, const uint8_t signature[SIGNATURE_LEN])
{
	EVP_MD_CTX *context CLEANUP(context_free) = EVP_MD_CTX_new();

	if (context == NULL || EVP_DigestVerifyInit(context, NULL, NULL, NULL, k->key) != 1)
		return fail(ERR_SYSTEM, "cannot check a checkpoint");
	if (EVP_DigestVerify(context, signature, SIGNATURE_LEN, text.at, text.len) != 1)
		return fail(ERR_DENIED, "its signature is not that of checkpoint.pub");
	return OK;
}

struct err
checkpoint_put(struct buf *out, const struct checkpoint_key *k, const struct checkpoint *c)
{
	uint8_t signature[KEY_ID_LEN + SIGNATURE_LEN];
	size_t start = out->len;

	put_text(out, k, c);
	TRY(buf_check(out));
	memcpy(signature, k->id, KEY_ID_LEN);
	TRY(sign(k, bytes_slice(buf_bytes(out), start, out->len), signature + KEY_ID_LEN));

	buf_put_text(out, "\n\xE2\x80\x94 ");
	buf_put_text(out, k->origin);
	buf_put_u8(out, ' ');
	base64_put(out, (struct bytes){ signature, sizeof signature }, true);
	buf_put(out, BYTES("\n\n"));
	return buf_check(out);
}

static const struct err shape = { .kind = ERR_PEER,
	                          .why = "it is not in the form of a checkpoint" };

static struct err
next_line(struct reader *in, struct bytes *ret)
{
	struct bytes rest = { in->at, reader_left(in) }, newline;

	TRY(read_bytes(in, bytes_find(rest, '\n'), ret));
	return read_bytes(in, 1, &newline);
}

static struct err
decode(struct bytes text, size_t len, uint8_t *ret)
{
	uint8_t raw[CHECKPOINT_MAX];
	size_t got;

	if (text.len > sizeof raw || failed(base64_decode(text, true, raw, sizeof raw, &got)) ||
	    got != len)
		return shape;
	memcpy(ret, raw, len);
	return OK;
}

static struct err
read_values(struct reader *in, struct checkpoint *ret)
{
	struct bytes origin, sequence, head, time;

	TRY(next_line(in, &origin));
	TRY(next_line(in, &sequence));
	TRY(next_line(in, &head));
	TRY(next_line(in, &time));
	TRY(bytes_to_u64(sequence, &ret->sequence));
	TRY(decode(head, AUDIT_HASH_LEN, ret->head));
	if (!bytes_starts(time, BYTES("time ")) ||
	    !moment_parse_timestamp(bytes_slice(time, 5, time.len), &ret->time_us))
		return shape;
	return OK;
}

static struct err
read_signature(struct reader *in, const struct checkpoint_key *k, uint8_t ret[SIGNATURE_LEN])
{
	struct bytes blank, line, prefix = BYTES("\xE2\x80\x94 "), origin = bytes_text(k->origin);
	uint8_t raw[KEY_ID_LEN + SIGNATURE_LEN];

	TRY(next_line(in, &blank));
	TRY(next_line(in, &line));
	if (blank.len != 0 || !bytes_starts(line, prefix))
		return shape;
	line = bytes_slice(line, prefix.len, line.len);
	if (!bytes_starts(line, origin) || line.len <= origin.len || line.at[origin.len] != ' ')
		return fail(ERR_DENIED, "it is signed by another key than checkpoint.pub");
	TRY(decode(bytes_slice(line, origin.len + 1, line.len), sizeof raw, raw));
	if (memcmp(raw, k->id, KEY_ID_LEN) != 0)
		return fail(ERR_DENIED, "it is signed by another key than checkpoint.pub");
	memcpy(ret, raw + KEY_ID_LEN, SIGNATURE_LEN);

	TRY(next_line(in, &blank));
	return blank.len == 0 && reader_left(in) == 0 ? OK : shape;
}

struct err
checkpoint_read(struct bytes entry, const struct checkpoint_key *k, struct checkpoint *ret)
{
	struct buf text CLEANUP(buf_done) = { .limit = CHECKPOINT_MAX };
	struct reader in = reader_of(entry);
	struct checkpoint c = { 0 };
	uint8_t signature[SIGNATURE_LEN];

	if (entry.len > CHECKPOINT_MAX)
		return shape;
	if (failed(read_values(&in, &c)))
		return shape;
	TRY(read_signature(&in, k, signature));

	/* The signature covers what was written; writing the values again must give just that, so
	 * there is one spelling of every checkpoint. */
	put_text(&text, k, &c);
	TRY(buf_check(&text));
	if (!bytes_starts(entry, buf_bytes(&text)))
		return fail(ERR_DENIED, "its text is not what checkpoint.pub signs for");
	TRY(verify(k, buf_bytes(&text), signature));
	*ret = c;
	return OK;
}

struct err
checkpoint_stream_init(int fd, struct checkpoint_stream *ret)
{
	struct checkpoint_stream s = { .entry.limit = 2 * CHECKPOINT_MAX * CHECKPOINT_LINES };

	TRY(lines_init(fd, CHECKPOINT_MAX, &s.lines));
	*ret = s;
	return OK;
}

/* An entry begins behind the blank line that ends the one before it, with the origin. */
static struct err
find_entry(struct bytes tail, const struct checkpoint_key *k, size_t *ret)
{
	char start[CHECKPOINT_ORIGIN_ROOM + 3];
	int len = snprintf(start, sizeof start, "\n\n%s\n", k->origin);
	const uint8_t *hit = tail.len == 0 ? NULL : memmem(tail.at, tail.len, start, (size_t)len);

	if (hit == NULL)
		return shape;
	*ret = (size_t)(hit - tail.at) + 2;
	return OK;
}

struct err
checkpoint_stream_init_tail(int fd, const struct checkpoint_key *k, struct checkpoint_stream *ret)
{
	uint8_t tail[2 * CHECKPOINT_MAX];
	size_t start;
	struct checkpoint_stream s;

	TRY(checkpoint_stream_init(fd, &s));
	if (s.lines.left > sizeof tail) {
		uint64_t from = s.lines.left - sizeof tail;
		ssize_t got = pread(fd, tail, sizeof tail, (off_t)from);

		if (got < 0)
			return fail_errno("cannot read the audit checkpoints");
		TRY(find_entry((struct bytes){ tail, (size_t)got }, k, &start));
		s.good = from + start;
		TRY(lines_init_from(fd, CHECKPOINT_MAX, s.good, &s.lines));
	}
	*ret = s;
	return OK;
}

void
checkpoint_stream_done(struct checkpoint_stream *s)
{
	lines_done(&s->lines);
	buf_done(&s->entry);
}

struct err
checkpoint_stream_next(struct checkpoint_stream *s, const struct checkpoint_key *k,
                       enum lines_kind *ret_kind, struct checkpoint *ret)
{
	struct bytes line;

	buf_clear(&s->entry);
	for (unsigned count = 0; count < CHECKPOINT_LINES; count++) {
		TRY(lines_next(&s->lines, ret_kind, &line));
		if (*ret_kind == LINES_END && count > 0)
			*ret_kind = LINES_UNFINISHED;
		if (*ret_kind != LINES_LINE)
			return OK;
		buf_put(&s->entry, line);
		buf_put_u8(&s->entry, '\n');
	}
	s->line += CHECKPOINT_LINES;
	s->good += s->entry.len;
	TRY(buf_check(&s->entry));
	return checkpoint_read(buf_bytes(&s->entry), k, ret);
}
