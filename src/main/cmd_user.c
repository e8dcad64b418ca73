/* cmd_user.c - see cmd_user.h. Works beside a running gatewarden: the next login sees the change.
 */
#include "main/cmd_user.h"

#include <stdio.h>

#include "base/macros.h"
#include "format/json.h"
#include "format/moment.h"
#include "issuer/phc.h"
#include "main/arguments.h"
#include "main/loaded.h"
#include "main/local_roles.h"
#include "main/password_input.h"

enum { USER_ROLES_GIVEN_MAX = 64, SUBJECT_WIDTH = 36 /* a uuid */ };

struct request {
	const char *verb, *name, *file;
	const char *roles[USER_ROLES_GIVEN_MAX];
	size_t role_count;
	bool as_json, with_hash;
	struct loaded loaded;
	struct issuer_store *store;
};

/* Reading the command line */

/* 0 or the exit status. */
static int
take_option(struct arguments *a, struct request *r)
{
	const char *value = NULL;

	if (arguments_is(a, "--json")) {
		r->as_json = true;
		return 0;
	}
	if (arguments_is(a, "--hash")) {
		if (a->joined != NULL)
			return usage_error("user",
			                   "a hash does not stand on the command line: it is read "
			                   "from standard input",
			                   NULL);
		r->with_hash = true;
		return 0;
	}
	if (!arguments_is(a, "-c") && !arguments_is(a, "--config") && !arguments_is(a, "--role"))
		return usage_error("user", "there is no such option", a->option);
	if (!arguments_value(a, &value))
		return usage_error("user", "the option needs a value", a->option);
	if (!arguments_is(a, "--role")) {
		r->file = value;
		return 0;
	}
	if (r->role_count == USER_ROLES_GIVEN_MAX)
		return usage_error("user", "too many roles", NULL);
	r->roles[r->role_count++] = value;
	return 0;
}

static int
take_arguments(int argc, char **argv, struct request *r)
{
	struct arguments a;

	arguments_init(&a, argc, argv);
	while (arguments_next(&a)) {
		if (a.option != NULL) {
			int status = take_option(&a, r);

			if (status != 0)
				return status;
		} else if (r->verb == NULL) {
			r->verb = a.plain;
		} else if (r->name == NULL) {
			r->name = a.plain;
		} else {
			return usage_error("user", "one user at a time", a.plain);
		}
	}
	return 0;
}

/* Answers */

static int
refuse(const char *about, struct err e)
{
	complain("user", about, e);
	return e.kind == ERR_CONFLICT || e.kind == ERR_NOT_FOUND || e.kind == ERR_INVALID ? 1 : 2;
}

static int
check_roles(const struct request *r)
{
	if (r->role_count == 0)
		return usage_error("user", "a user needs at least one --role", NULL);
	return local_roles_check(r->loaded.settings, "user", r->roles, r->role_count);
}

static void
note_change(const struct request *r)
{
	loaded_note(&r->loaded, r->verb, r->name);
}

/* The verbs */

/* A hash that another program made moves in as it is; the next login hashes the password anew. */
static int
given_hash(struct buf *ret_phc)
{
	CLEANUP(password_done) struct password hash = { 0 };
	struct err e = password_hash_input(&hash);

	buf_put(ret_phc, (struct bytes){ hash.at, failed(e) ? 0 : hash.len });
	if (!failed(e))
		e = buf_check(ret_phc);
	if (!failed(e))
		return 0;

	int status = refuse("--hash", e);

	fprintf(stderr,
	        "  expected such as $argon2id$v=19$m=65536,t=3,p=4$SALT$TAG: argon2id, argon2i or "
	        "argon2d, at most "
	        "m=%d, t=%d, p=%d\n",
	        PHC_MEMORY_MAX_KIB, PHC_PASSES_MAX, PHC_LANES_MAX);
	return status;
}

/* Asks for the password and hashes it, or for the hash. 0 or the exit status. */
static int
new_hash(const struct request *r, struct buf *ret_phc)
{
	CLEANUP(password_done) struct password password = { 0 };

	if (r->with_hash)
		return given_hash(ret_phc);

	struct err e = password_input(&password);

	if (!failed(e))
		e = password_hash((struct bytes){ password.at, password.len }, ret_phc);
	return failed(e) ? refuse(NULL, e) : 0;
}

static int
add(struct request *r)
{
	CLEANUP(buf_wipe) struct buf phc = { 0 };
	CLEANUP(buf_done) struct buf roles = { 0 };
	struct user taken;
	int status = check_roles(r);

	if (status != 0)
		return status;
	/* Before anyone types a password for nothing. */
	if (!failed(user_find(r->store, bytes_text(r->name), &r->loaded.arena, &taken)))
		return refuse(r->name, fail(ERR_CONFLICT, "there is a user of this name already"));
	status = new_hash(r, &phc);
	if (status != 0)
		return status;
	local_roles_put(r->roles, r->role_count, &roles);

	struct err e = user_add(r->store, bytes_text(r->name), buf_bytes(&roles), buf_bytes(&phc));

	if (failed(e))
		return refuse(NULL, e); /* the name may be what is unfit to print */
	note_change(r);
	printf("added %s with %.*s\n", r->name, (int)roles.len, (const char *)roles.at);
	return 0;
}

static int
passwd(struct request *r)
{
	CLEANUP(buf_wipe) struct buf phc = { 0 };
	struct user u;
	struct err e = user_find(r->store, bytes_text(r->name), &r->loaded.arena, &u);

	if (failed(e))
		return refuse(NULL, e);

	int status = new_hash(r, &phc);

	if (status != 0)
		return status;
	e = user_set_password(r->store, bytes_text(r->name), buf_bytes(&phc));
	if (failed(e))
		return refuse(NULL, e);
	note_change(r);
	printf("%s has a new password; all tokens are revoked\n", r->name);
	return 0;
}

static int
set_disabled(struct request *r, bool disabled)
{
	struct err e = user_set_disabled(r->store, bytes_text(r->name), disabled);

	if (failed(e))
		return refuse(NULL, e);
	note_change(r);
	if (disabled)
		printf("%s is disabled; all tokens are revoked\n", r->name);
	else
		printf("%s is enabled\n", r->name);
	return 0;
}

static int
disable(struct request *r)
{
	return set_disabled(r, true);
}

static int
enable(struct request *r)
{
	return set_disabled(r, false);
}

/* Tokens that carry the old roles are refused from now on; a refresh or a login gives the new ones.
 */
static int
set_roles(struct request *r)
{
	CLEANUP(buf_done) struct buf roles = { 0 };
	int status = check_roles(r);

	if (status != 0)
		return status;
	local_roles_put(r->roles, r->role_count, &roles);

	struct err e = user_set_roles(r->store, bytes_text(r->name), buf_bytes(&roles));

	if (failed(e))
		return refuse(NULL, e);
	note_change(r);
	printf("%s has %.*s; tokens with the roles before are revoked\n", r->name, (int)roles.len,
	       (const char *)roles.at);
	return 0;
}

/* Listing */

struct listing {
	struct buf out;
	size_t name_width, roles_width;
	bool as_json;
	bool measuring;
	size_t count;
};

/* Terminals count characters. Names are UTF-8 without control characters; wide ones may still stand
 * askew. */
static size_t
width_of(struct bytes text)
{
	size_t width = 0;

	for (size_t i = 0; i < text.len; i++)
		width += (text.at[i] & 0xc0) != 0x80;
	return width;
}

static void
put_cell(struct buf *out, struct bytes text, size_t width)
{
	buf_put(out, text);
	for (size_t n = width_of(text); n < width + 2; n++)
		buf_put_u8(out, ' ');
}

static void
put_row(struct listing *l, const struct user *u)
{
	put_cell(&l->out, u->name, l->name_width);
	put_cell(&l->out, u->roles, l->roles_width);
	put_cell(&l->out, u->is_disabled ? BYTES("disabled") : BYTES("active"), 8);
	put_cell(&l->out, u->subject, SUBJECT_WIDTH);
	moment_put_timestamp(&l->out, u->created_s * 1000000);
	buf_put_u8(&l->out, '\n');
}

static void
put_json(struct listing *l, const struct user *u)
{
	struct bytes roles = u->roles;

	buf_put_text(&l->out, l->count == 0 ? "{\"name\":" : ",\n {\"name\":");
	json_put_string(&l->out, u->name);
	buf_put_text(&l->out, ",\"subject\":");
	json_put_string(&l->out, u->subject);
	buf_put_text(&l->out, ",\"roles\":[");
	for (const char *before = ""; roles.len > 0; before = ",") {
		size_t len = bytes_find(roles, ' ');

		buf_put_text(&l->out, before);
		json_put_string(&l->out, bytes_slice(roles, 0, len));
		roles = bytes_slice(roles, len + 1, roles.len);
	}
	buf_put_text(&l->out, u->is_disabled ? "],\"state\":\"disabled\",\"created\":\""
	                                     : "],\"state\":\"active\",\"created\":\"");
	moment_put_timestamp(&l->out, u->created_s * 1000000);
	buf_put_text(&l->out, "\"}");
}

static void
list_one(void *of, const struct user *u)
{
	struct listing *l = of;
	size_t name = width_of(u->name), roles = width_of(u->roles);

	if (l->measuring) {
		l->name_width = name > l->name_width ? name : l->name_width;
		l->roles_width = roles > l->roles_width ? roles : l->roles_width;
		return;
	}
	if (l->as_json)
		put_json(l, u);
	else
		put_row(l, u);
	l->count++;
}

static void
listing_done(struct listing *l)
{
	buf_done(&l->out);
}

static int
list(struct request *r)
{
	CLEANUP(listing_done)
	struct listing l = {
		.as_json = r->as_json, .name_width = 4, .roles_width = 5, .measuring = true
	};
	struct err e = user_list(r->store, list_one, &l);

	l.measuring = false;
	if (!failed(e)) {
		if (l.as_json) {
			buf_put_u8(&l.out, '[');
		} else {
			put_cell(&l.out, BYTES("NAME"), l.name_width);
			put_cell(&l.out, BYTES("ROLES"), l.roles_width);
			put_cell(&l.out, BYTES("STATE"), 8);
			put_cell(&l.out, BYTES("SUBJECT"), SUBJECT_WIDTH);
			buf_put_text(&l.out, "CREATED\n");
		}
		e = user_list(r->store, list_one, &l);
	}
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
	bool has_name, has_roles, has_hash, has_json;
} verbs[] = {
	{ "add", add, true, true, true, false },
	{ "passwd", passwd, true, false, true, false },
	{ "roles", set_roles, true, true, false, false },
	{ "disable", disable, true, false, false, false },
	{ "enable", enable, true, false, false, false },
	{ "list", list, false, false, false, true },
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
	if (!loaded_open(&r->loaded, "user", r->file))
		return 2;

	struct err e = issuer_store_open(r->loaded.settings->state_path, &r->store);

	if (failed(e)) {
		complain("user", r->loaded.settings->state_path, e);
		return 2;
	}
	return verb(r);
}

int
cmd_user(int argc, char **argv)
{
	CLEANUP(request_done) struct request r = { 0 };
	int status = take_arguments(argc, argv, &r);

	if (status != 0)
		return status;
	if (r.verb == NULL)
		return usage_error("user",
		                   "say what to do: add, passwd, roles, disable, enable or list",
		                   NULL);
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (strcmp(verbs[i].name, r.verb) != 0)
			continue;
		if (verbs[i].has_name && r.name == NULL)
			return usage_error("user", "the name of the user is missing", NULL);
		if (!verbs[i].has_name && r.name != NULL)
			return usage_error("user", "this takes no name", r.name);
		if (!verbs[i].has_roles && r.role_count > 0)
			return usage_error("user", "only `user add` and `user roles` take --role",
			                   NULL);
		if (!verbs[i].has_hash && r.with_hash)
			return usage_error("user", "only `user add` and `user passwd` take --hash",
			                   NULL);
		if (!verbs[i].has_json && r.as_json)
			return usage_error("user", "only `user list` takes --json", NULL);
		return run(&r, verbs[i].run);
	}
	return usage_error("user",
	                   "there is no such verb (add, passwd, roles, disable, enable, list)",
	                   r.verb);
}
