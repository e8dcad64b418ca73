/* record_json.c - a record as one line of OCSF 1.3 JSON: Datastore Activity (6005), API Activity
 * (6003), Authentication (3002) or Account Change (3001). What OCSF has no attribute for stands
 * under `unmapped`, as OCSF says.
 *
 * Runs once for every request: names are literals that are copied, nothing is formatted twice. */
#include "audit/record.h"

#include "base/macros.h"
#include "format/json.h"

/* OCSF: type_uid = class_uid * 100 + activity_id; 99 is "other", named by the source. */
enum { ACTIVITY_OTHER = 99 };

struct activity {
	enum audit_class class;
	unsigned id;
	const char *action; /* as the gateway names it */
	const char *name;   /* as OCSF does */
};

static const struct activity activities[] = {
	{ AUDIT_DATASTORE, 1, "read", "Read" },
	{ AUDIT_DATASTORE, 6, "create", "Create" },
	{ AUDIT_DATASTORE, 2, "update", "Update" },
	{ AUDIT_DATASTORE, 7, "delete", "Delete" },
	{ AUDIT_DATASTORE, 4, "execute", "Query" },
	{ AUDIT_DATASTORE, 4, "query", "Query" },
	{ AUDIT_DATASTORE, 3, "connect", "Connect" },
	{ AUDIT_API, 1, "create", "Create" },
	{ AUDIT_API, 2, "read", "Read" },
	{ AUDIT_API, 3, "update", "Update" },
	{ AUDIT_API, 4, "delete", "Delete" },
	{ AUDIT_API, 2, "GET", "Read" },
	{ AUDIT_API, 2, "HEAD", "Read" },
	{ AUDIT_API, 1, "POST", "Create" },
	{ AUDIT_API, 3, "PUT", "Update" },
	{ AUDIT_API, 3, "PATCH", "Update" },
	{ AUDIT_API, 4, "DELETE", "Delete" },
	{ AUDIT_AUTHENTICATION, 1, "login", "Logon" },
	{ AUDIT_AUTHENTICATION, 2, "logout", "Logoff" },
	{ AUDIT_ACCOUNT, 1, "add", "Create" },
	{ AUDIT_ACCOUNT, 2, "enable", "Enable" },
	{ AUDIT_ACCOUNT, 3, "password", "Password Change" },
	{ AUDIT_ACCOUNT, 4, "secret", "Password Reset" },
	{ AUDIT_ACCOUNT, 5, "disable", "Disable" },
	{ AUDIT_ACCOUNT, 6, "remove", "Delete" },
};

/* The strict reader takes no \u0000, and a line it cannot read would look like damage: a NUL is
 * written as any other byte that is no text, U+FFFD. */
static __attribute__((noinline)) void
put_with_nul(struct buf *out, struct bytes text)
{
	uint8_t copy[AUDIT_TEXT_MAX];

	for (size_t i = 0; i < text.len; i++)
		copy[i] = text.at[i] != 0 ? text.at[i] : 0xFF;
	json_put_string(out, (struct bytes){ copy, text.len });
}

static void
put_string(struct buf *out, struct bytes text, size_t max)
{
	struct bytes cut = audit_text_cut(text, max);

	if (bytes_find(cut, 0) == cut.len)
		json_put_string(out, cut);
	else
		put_with_nul(out, cut);
}

/* `name` is the member's name in its punctuation: `,"name":`. */
static void
put_text(struct buf *out, struct bytes name, struct bytes text)
{
	buf_put(out, name);
	put_string(out, text, AUDIT_TEXT_MAX);
}

static void
put_number(struct buf *out, struct bytes name, uint64_t value)
{
	buf_put(out, name);
	buf_put_unsigned(out, value);
}

/* Of an account the action says what kind it is: user.add. */
static const struct activity *
find_activity(const struct audit_record *r)
{
	struct bytes verb = r->action;

	if (r->class == AUDIT_ACCOUNT)
		verb = bytes_slice(verb, bytes_find(verb, '.') + 1, verb.len);
	for (size_t i = 0; i < ARRAY_LEN(activities); i++)
		if (activities[i].class == r->class && bytes_is(verb, activities[i].action))
			return &activities[i];
	return NULL;
}

static struct bytes class_text(enum audit_class class)
{
	switch (class) {
	case AUDIT_DATASTORE:
		return BYTES(",\"class_uid\":6005,\"class_name\":\"Datastore "
		             "Activity\",\"category_uid\":6");
	case AUDIT_API:
		return BYTES(
			",\"class_uid\":6003,\"class_name\":\"API Activity\",\"category_uid\":6");
	case AUDIT_AUTHENTICATION:
		return BYTES(
			",\"class_uid\":3002,\"class_name\":\"Authentication\",\"category_uid\":3");
	case AUDIT_ACCOUNT:
		return BYTES(
			",\"class_uid\":3001,\"class_name\":\"Account Change\",\"category_uid\":3");
	}
	return BYTES("");
}

static void
put_class(struct buf *out, const struct audit_record *r)
{
	const struct activity *activity = find_activity(r);
	unsigned id = activity != NULL ? activity->id : ACTIVITY_OTHER;

	buf_put(out, class_text(r->class));
	put_number(out, BYTES(",\"activity_id\":"), id);
	put_text(out, BYTES(",\"activity_name\":"),
	         activity != NULL ? bytes_text(activity->name) : r->action);
	put_number(out, BYTES(",\"type_uid\":"), (uint64_t)r->class * 100 + id);
}

/* A denial is worth more attention than an answer, and a failure of ours more than a denial. */
static struct bytes
status_text(enum audit_outcome outcome)
{
	switch (outcome) {
	case AUDIT_ALLOWED:
		return BYTES(",\"severity_id\":1,\"status_id\":1,\"status\":\"Success\",\"status_"
		             "code\":\"");
	case AUDIT_DENIED:
		return BYTES(",\"severity_id\":2,\"status_id\":2,\"status\":\"Failure\",\"status_"
		             "code\":\"");
	case AUDIT_FAILED:
		return BYTES(",\"severity_id\":3,\"status_id\":2,\"status\":\"Failure\",\"status_"
		             "code\":\"");
	}
	return BYTES("");
}

static struct bytes
outcome_text(enum audit_outcome outcome)
{
	switch (outcome) {
	case AUDIT_ALLOWED:
		return BYTES(",\"outcome\":\"allowed\"");
	case AUDIT_DENIED:
		return BYTES(",\"outcome\":\"denied\"");
	case AUDIT_FAILED:
		return BYTES(",\"outcome\":\"failed\"");
	}
	return BYTES("");
}

static void
put_metadata(struct buf *out, const struct audit_record *r, uint64_t sequence)
{
	buf_put(out,
	        BYTES(",\"metadata\":{\"version\":\"1.3.0\",\"product\":{\"name\":\"Gatewarden\","
	              "\"vendor_name\":\"Gatewarden\"}"));
	put_number(out, BYTES(",\"sequence\":"), sequence);
	put_text(out, BYTES(",\"uid\":"), r->decision);
	put_text(out, BYTES(",\"correlation_uid\":"), r->trace);
	buf_put_u8(out, '}');
}

/* OCSF has no roles; a user's groups are where others put them, and where a SIEM looks. */
static void
put_user(struct buf *out, struct bytes name, const struct audit_record *r)
{
	buf_put(out, name);
	put_text(out, BYTES("{\"uid\":"), r->subject);
	put_text(out, BYTES(",\"name\":"), r->name);
	buf_put(out, BYTES(",\"groups\":["));
	for (size_t i = 0; i < r->role_count && i < AUDIT_ROLES_MAX; i++) {
		buf_put(out, i == 0 ? BYTES("{\"name\":") : BYTES(",{\"name\":"));
		put_string(out, r->roles[i], AUDIT_ROLE_MAX);
		buf_put_u8(out, '}');
	}
	buf_put(out, BYTES("]}"));
}

static void
put_actor(struct buf *out, const struct audit_record *r)
{
	const struct audit_record changer = { .subject = r->agent };

	put_user(out, BYTES(",\"actor\":{\"user\":"), r->class == AUDIT_ACCOUNT ? &changer : r);
	put_text(out, BYTES(",\"app_uid\":"), r->agent);
	put_text(out, BYTES(",\"idp\":{\"name\":"), r->issuer);
	put_text(out, BYTES("}},\"src_endpoint\":{\"ip\":"), r->client);
	buf_put_u8(out, '}');
}

/* The objects each class asks for. */
static void
put_target(struct buf *out, const struct audit_record *r)
{
	switch (r->class) {
	case AUDIT_DATASTORE:
		put_text(out, BYTES(",\"type_id\":3,\"table\":{\"name\":"), r->resource);
		buf_put_u8(out, '}');
		return;
	case AUDIT_API:
		put_text(out, BYTES(",\"api\":{\"operation\":"), r->action);
		put_text(out, BYTES("},\"resources\":[{\"name\":"), r->resource);
		put_text(out, BYTES("}],\"http_request\":{\"url\":{\"path\":"), r->path);
		buf_put(out, BYTES("}}"));
		return;
	case AUDIT_AUTHENTICATION:
		put_text(out, BYTES(",\"user\":{\"uid\":"), r->subject);
		put_text(out, BYTES(",\"name\":"), r->name);
		buf_put(out, BYTES("},\"service\":{\"name\":\"Gatewarden\"}"));
		return;
	case AUDIT_ACCOUNT:
		put_user(out, BYTES(",\"user\":"), r);
		return;
	}
}

static void
put_fingerprint(struct buf *out, const struct audit_record *r)
{
	if (!r->has_fingerprint) {
		buf_put(out, BYTES(",\"fingerprint\":null"));
		return;
	}
	buf_put(out, BYTES(",\"fingerprint\":\""));
	buf_put_hex(out, (struct bytes){ r->fingerprint, FINGERPRINT_LEN });
	buf_put_u8(out, '"');
}

static void
put_unmapped(struct buf *out, const struct audit_record *r, unsigned worker)
{
	put_text(out, BYTES(",\"unmapped\":{\"resource\":"), r->resource);
	put_text(out, BYTES(",\"action\":"), r->action);
	buf_put(out, outcome_text(r->outcome));
	put_text(out, BYTES(",\"rule\":"), r->rule);
	put_fingerprint(out, r);
	put_text(out, BYTES(",\"backend\":"), r->backend);
	put_text(out, BYTES(",\"credential\":"), r->credential);
	put_text(out, BYTES(",\"agent\":"), r->agent);
	buf_put(out, BYTES(",\"rows\":"));
	if (r->rows < 0)
		buf_put(out, BYTES("null"));
	else
		buf_put_decimal(out, r->rows);
	put_number(out, BYTES(",\"bytes\":"), r->bytes);
	put_number(out, BYTES(",\"duration_us\":"), r->duration_us);
	put_number(out, BYTES(",\"worker\":"), worker);
	buf_put(out,
	        r->is_completion ? BYTES(",\"completion\":true") : BYTES(",\"completion\":false"));
	buf_put(out, r->is_observed ? BYTES(",\"observed\":true}") : BYTES(",\"observed\":false}"));
}

void
audit_record_put_json(struct buf *out, const struct audit_record *r, uint64_t sequence,
                      int64_t wall_us, unsigned worker)
{
	put_number(out, BYTES("{\"seq\":"), sequence);
	put_class(out, r);
	put_number(out, status_text(r->outcome), r->status);
	put_text(out, BYTES("\",\"status_detail\":"), r->reason);
	buf_put(out, BYTES(",\"time\":"));
	buf_put_decimal(out, wall_us / 1000);
	put_metadata(out, r, sequence);
	put_actor(out, r);
	put_target(out, r);
	put_unmapped(out, r, worker);
}
