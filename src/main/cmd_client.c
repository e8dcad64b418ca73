/* cmd_client.c - see cmd_client.h. Works beside a running gatewarden, which knows within a second.
 */
#include "main/cmd_client.h"

#include <stdio.h>
#include <unistd.h>

#include "base/macros.h"
#include "format/json.h"
#include "format/moment.h"
#include "issuer/words.h"
#include "jose/jwk.h"
#include "main/arguments.h"
#include "main/client_input.h"
#include "main/input.h"
#include "main/loaded.h"
#include "main/local_roles.h"
#include "main/table.h"

const char cmd_client_usage[] =
	"       gatewarden client add ID [--name TEXT] [--grant "
	"code|client_credentials|exchange]...\n"
	"                                [--role R]... [--redirect-uri URI]...\n"
	"                                [--public | --jwks FILE | --certificate FILE] [--dpop]\n"
	"       gatewarden client secret|disable|enable|remove ID\n"
	"       gatewarden client list [--json]\n"
	"\n"
	"  --grant code          logs users in; needs --redirect-uri, compared byte for byte\n"
	"  --grant client_credentials\n"
	"                        a service account: acts for itself, with the roles of --role\n"
	"  --grant exchange      acts for users, with less than they may do (RFC 8693)\n"
	"  --public              keeps no secret: an application in a browser or on a device\n"
	"  --jwks FILE           shows who it is by assertions signed with one of these public "
	"keys\n"
	"  --certificate FILE    shows who it is by this certificate (PEM)\n"
	"  --dpop                its tokens are bound to a key of its own (RFC 9449)\n"
	"\n"
	"  Without --public, --jwks and --certificate a secret is made. It stands alone on "
	"standard\n"
	"  output, once: what is kept cannot be turned back into it.\n";

struct request {
	struct client_input in;
	struct loaded loaded;
	struct issuer_store *store;
};

static int
refuse(const char *about, struct err e)
{
	complain("client", about, e);
	return e.kind == ERR_CONFLICT || e.kind == ERR_NOT_FOUND || e.kind == ERR_INVALID ? 1 : 2;
}

static void
note_change(const struct request *r)
{
	loaded_note(&r->loaded, r->in.verb, r->in.id);
}

/* Standard output is the secret and nothing else, so that it can go straight into a file. */
static int
print_secret(const struct buf *secret)
{
	if (fwrite(secret->at, 1, secret->len, stdout) == secret->len && putchar('\n') != EOF &&
	    fflush(stdout) == 0)
		return 0;
	fprintf(stderr,
	        "gatewarden client: the secret could not be written and is lost: make another "
	        "by `client secret`\n");
	return 2;
}

/* Adding */

static int
read_files(const struct request *r, struct buf *keys, struct buf *certificate)
{
	struct err e;

	if (r->in.key_file != NULL) {
		keys->limit = JWKS_BYTES_MAX;
		e = input_file(r->in.key_file, keys);
		if (failed(e))
			return refuse(r->in.key_file, e);
	}
	if (r->in.certificate_file != NULL) {
		e = client_input_certificate(r->in.certificate_file, certificate);
		if (failed(e))
			return refuse(r->in.certificate_file, e);
	}
	return 0;
}

static int
check_input(const struct request *r)
{
	const struct client_input *in = &r->in;

	if (in->is_public + (in->key_file != NULL) + (in->certificate_file != NULL) > 1)
		return usage_error("client",
		                   "--public, --jwks and --certificate exclude each other", NULL);
	if (in->grants == 0)
		return usage_error(
			"client",
			"say what it may do: --grant code, client_credentials or exchange", NULL);
	return local_roles_check(r->loaded.settings, "client", in->roles, in->role_count);
}

static int
add(struct request *r)
{
	CLEANUP(buf_done) struct buf keys = { 0 }, certificate = { 0 }, roles = { 0 }, uris = { 0 };
	CLEANUP(buf_wipe) struct buf secret = { 0 };
	const struct client_input *in = &r->in;
	int status = check_input(r);

	if (status == 0)
		status = read_files(r, &keys, &certificate);
	if (status != 0)
		return status;
	local_roles_put(in->roles, in->role_count, &roles);
	local_roles_put(in->redirect_uris, in->redirect_uri_count, &uris);

	const struct client c = {
		.id = bytes_text(in->id),
		.name = bytes_text(in->name == NULL ? "" : in->name),
		.jwks = buf_bytes(&keys),
		.certificate = buf_bytes(&certificate),
		.roles = buf_bytes(&roles),
		.redirect_uris = buf_bytes(&uris),
		.grants = in->grants,
		.is_public = in->is_public,
		.is_dpop_required = in->is_dpop_required,
	};
	struct err e = client_add(r->store, r->loaded.settings, &c, &secret);

	if (failed(e))
		return refuse(NULL, e); /* the id may be what is unfit to print */
	note_change(r);
	fprintf(stderr, "added %s%s\n", in->id,
	        secret.len > 0 ? "; its secret is shown only now" : "");
	return secret.len > 0 ? print_secret(&secret) : 0;
}

/* Changing */

static int
make_secret(struct request *r)
{
	CLEANUP(buf_wipe) struct buf secret = { 0 };
	struct err e = client_set_secret(r->store, bytes_text(r->in.id), &secret);

	if (failed(e))
		return refuse(NULL, e);
	note_change(r);
	fprintf(stderr,
	        "%s has a new secret, shown only now; the one before and all tokens are revoked\n",
	        r->in.id);
	return print_secret(&secret);
}

static int
tell_change(struct request *r, struct err e, const char *what)
{
	if (failed(e))
		return refuse(NULL, e);
	note_change(r);
	fprintf(stderr, "%s %s\n", r->in.id, what);
	return 0;
}

static int
disable(struct request *r)
{
	return tell_change(r, client_set_disabled(r->store, bytes_text(r->in.id), true),
	                   "is disabled; all its tokens are revoked");
}

static int
enable(struct request *r)
{
	return tell_change(r, client_set_disabled(r->store, bytes_text(r->in.id), false),
	                   "is enabled");
}

static int
forget(struct request *r)
{
	return tell_change(r, client_remove(r->store, bytes_text(r->in.id)),
	                   "is removed; all its tokens are revoked");
}

/* Listing */

static const struct table_column columns[] = {
	{ "ID", 20 },    { "GRANTS", 18 }, { "SHOWS", 11 },
	{ "ROLES", 16 }, { "STATE", 8 },   { "CREATED", 20 },
};

struct listing {
	struct buf out;
	bool as_json;
	size_t count;
};

static void
listing_done(struct listing *l)
{
	buf_done(&l->out);
}

static const char *
shown_by(const struct client *c)
{
	return c->is_public             ? "nothing"
	       : c->certificate.len > 0 ? "certificate"
	       : c->jwks.len > 0        ? "assertion"
	                                : "secret";
}

static void
put_grants(unsigned grants, struct buf *out)
{
	static const char *const names[] = { "code", "client_credentials", "exchange" };

	for (unsigned i = 0; i < ARRAY_LEN(names); i++)
		if ((grants >> i & 1) != 0)
			words_put(out, bytes_text(names[i]));
}

static void
put_words(struct buf *out, const char *name, struct bytes words)
{
	struct bytes word;
	const char *before = "";

	buf_printf(out, ",\"%s\":[", name);
	while (words_next(&words, &word)) {
		buf_put_text(out, before);
		json_put_string(out, word);
		before = ",";
	}
	buf_put_u8(out, ']');
}

static void
put_json(struct listing *l, const struct client *c, struct bytes grants, struct bytes created)
{
	buf_put_text(&l->out, l->count == 0 ? "{\"id\":" : ",\n {\"id\":");
	json_put_string(&l->out, c->id);
	json_put_text(&l->out, "name", c->name);
	json_put_text(&l->out, "subject", c->subject);
	put_words(&l->out, "grants", grants);
	put_words(&l->out, "roles", c->roles);
	put_words(&l->out, "redirect_uris", c->redirect_uris);
	json_put_text(&l->out, "shows", bytes_text(shown_by(c)));
	buf_put_text(&l->out, c->is_dpop_required ? ",\"dpop\":true" : ",\"dpop\":false");
	json_put_text(&l->out, "state", bytes_text(c->is_disabled ? "disabled" : "active"));
	json_put_text(&l->out, "created", created);
	buf_put_u8(&l->out, '}');
}

static void
list_one(void *of, const struct client *c)
{
	CLEANUP(buf_done) struct buf grants = { 0 }, created = { 0 };
	struct listing *l = of;

	put_grants(c->grants, &grants);
	moment_put_timestamp(&created, c->created_s * 1000000);
	if (l->as_json) {
		put_json(l, c, buf_bytes(&grants), buf_bytes(&created));
	} else {
		struct bytes shows = bytes_text(shown_by(c));
		struct bytes seconds =
			bytes_slice(buf_bytes(&created), 0, strlen("2026-11-22T13:04:05"));

		table_put_row(&l->out, columns, ARRAY_LEN(columns),
		              (struct bytes[]){ c->id, buf_bytes(&grants), shows, c->roles,
		                                bytes_text(c->is_disabled ? "disabled" : "active"),
		                                seconds });
	}
	l->count++;
}

static int
list(struct request *r)
{
	CLEANUP(listing_done) struct listing l = { .as_json = r->in.as_json };

	if (l.as_json)
		buf_put_u8(&l.out, '[');
	else
		table_put_head(&l.out, columns, ARRAY_LEN(columns));

	struct err e = client_list(r->store, list_one, &l);

	if (l.as_json)
		buf_put_text(&l.out, "]\n");
	if (!failed(e))
		e = buf_check(&l.out);
	if (failed(e))
		return refuse(NULL, e);
	return fwrite(l.out.at, 1, l.out.len, stdout) == l.out.len ? 0 : 2;
}

static const struct {
	const char *name;
	int (*run)(struct request *r);
	bool has_id;
} verbs[] = {
	{ "add", add, true },       { "secret", make_secret, true }, { "disable", disable, true },
	{ "enable", enable, true }, { "remove", forget, true },      { "list", list, false },
};

static void
request_done(struct request *r)
{
	issuer_store_close(r->store);
	loaded_done(&r->loaded);
}

static int
run(struct request *r, int (*verb)(struct request *))
{
	if (!loaded_open(&r->loaded, "client", r->in.file))
		return 2;

	struct err e = issuer_store_open(r->loaded.settings->state_path, &r->store);

	if (failed(e)) {
		complain("client", r->loaded.settings->state_path, e);
		return 2;
	}
	return verb(r);
}

int
cmd_client(int argc, char **argv)
{
	CLEANUP(request_done) struct request r = { 0 };
	int status = client_input_take(argc, argv, &r.in);

	if (status != 0)
		return status;
	if (r.in.verb == NULL)
		return usage_error("client",
		                   "say what to do: add, secret, disable, enable, remove or list",
		                   NULL);
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (strcmp(verbs[i].name, r.in.verb) != 0)
			continue;
		if (verbs[i].has_id && r.in.id == NULL)
			return usage_error("client", "the id of the client is missing", NULL);
		if (!verbs[i].has_id && r.in.id != NULL)
			return usage_error("client", "this takes no id", r.in.id);
		if (verbs[i].run != add && r.in.given > 0)
			return usage_error("client", "such options are for `client add` only",
			                   NULL);
		if (verbs[i].run != list && r.in.as_json)
			return usage_error("client", "only `client list` takes --json", NULL);
		return run(&r, verbs[i].run);
	}
	return usage_error("client",
	                   "there is no such verb (add, secret, disable, enable, remove, list)",
	                   r.in.verb);
}
