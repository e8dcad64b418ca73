/* config_tables.c - see config_tables.h. The order is that of reading: what a row refers to
 * (issuers, backends, roles) stands above it. */
#include "config/config_tables.h"

#include "base/macros.h"

/* Tables, read by the row. */
/* clang-format off */

/* roles */

static const struct setting role_rows[] = {
	{ .name = "granted_by", .kind = SETTING_GRANTS, .required = true,
	  .offset = offsetof(struct role_settings, granted_by),
	  .count_offset = offsetof(struct role_settings, granted_by_count),
	  .help = "`ISSUER:VALUE` entries. A token of that issuer whose roles claim has that value gets the role. The "
	          "value is all that follows the first colon, byte for byte." },
	{ .name = "limits", .kind = SETTING_SECTION, .section = &quota_section, .offset = offsetof(struct role_settings, quota),
	  .place_offset = offsetof(struct role_settings, quota.place),
	  .help = "What each caller that has the role may spend. Of several roles the most generous counts." },
};
static const struct section role_section = {
	.title = "a role", .settings = role_rows, .count = ARRAY_LEN(role_rows), .size = sizeof(struct role_settings),
	.name_offset = offsetof(struct role_settings, name), .place_offset = offsetof(struct role_settings, place),
};

/* resources */

const struct choice config_actions[ACTION_COUNT] = {
	{ "read", ACTION_READ, NULL }, { "create", ACTION_CREATE, NULL }, { "update", ACTION_UPDATE, NULL },
	{ "delete", ACTION_DELETE, NULL }, { "execute", ACTION_EXECUTE, NULL },
};
static const struct setting allow_field_rows[] = {
	{ .name = "include", .kind = SETTING_TEXTS, .min = 1, .max = 256,
	  .offset = offsetof(struct rule_settings, include),
	  .count_offset = offsetof(struct rule_settings, include_count),
	  .help = "These columns only. Without it: all." },
	{ .name = "exclude", .kind = SETTING_TEXTS, .min = 1, .max = 256,
	  .offset = offsetof(struct rule_settings, exclude),
	  .count_offset = offsetof(struct rule_settings, exclude_count),
	  .help = "Never these columns; wins over `include`." },
};
static const struct section allow_fields = {
	.title = "fields", .settings = allow_field_rows, .count = ARRAY_LEN(allow_field_rows),
};
static const struct setting allow_rows[] = {
	{ .name = "fields", .kind = SETTING_SECTION, .section = &allow_fields,
	  .help = "Which columns. Not for `delete` and `execute`." },
	{ .name = "where", .kind = SETTING_TEXT, .min = 1, .max = 8192,
	  .offset = offsetof(struct rule_settings, where), .place_offset = offsetof(struct rule_settings, where_place),
	  .help = "Which rows: a condition in the filter language, where `@claims.name` is a claim of the caller's "
	          "token. A row it hides does not exist for the caller; it also guards what is written." },
};
static const struct section allow_section = {
	.title = "an allow rule", .settings = allow_rows, .count = ARRAY_LEN(allow_rows),
	.size = sizeof(struct rule_settings),
};
static const struct section deny_fields = {
	.title = "fields", .settings = allow_field_rows, .count = 1, /* include */
};
static const struct setting deny_rows[] = {
	{ .name = "fields", .kind = SETTING_SECTION, .section = &deny_fields,
	  .help = "These columns alone are denied. Not for `delete` and `execute`." },
};
static const struct section deny_section = {
	.title = "a deny rule", .settings = deny_rows, .count = ARRAY_LEN(deny_rows),
	.size = sizeof(struct rule_settings),
};
static const struct setting resource_rows[] = {
	{ .name = "backend", .kind = SETTING_ENTRY, .of = "backends", .required = true,
	  .offset = offsetof(struct resource_settings, backend),
	  .help = "The name of a backend above." },
	{ .name = "table", .kind = SETTING_TEXT, .required = true, .min = 1, .max = 256,
	  .offset = offsetof(struct resource_settings, table),
	  .place_offset = offsetof(struct resource_settings, table_place),
	  .help = "The table in the backend." },
	{ .name = "view", .kind = SETTING_TEXT, .instead_of = "table", .min = 1, .max = 256,
	  .offset = offsetof(struct resource_settings, table),
	  .place_offset = offsetof(struct resource_settings, table_place),
	  .help = "The view in the backend, instead of a table." },
	{ .name = "page_size", .kind = SETTING_NUMBER, .min = 1, .max = 10000, .fallback = "100",
	  .offset = offsetof(struct resource_settings, page_size),
	  .help = "Rows in a page where `$first` does not say." },
	{ .name = "page_max", .kind = SETTING_NUMBER, .min = 1, .max = 10000, .fallback = "1000",
	  .offset = offsetof(struct resource_settings, page_max),
	  .help = "The largest `$first`; at least `page_size`." },
	{ .name = "allow", .kind = SETTING_RULES, .section = &allow_section,
	  .offset = offsetof(struct resource_settings, allow),
	  .count_offset = offsetof(struct resource_settings, allow_count),
	  .help = "What each role may do. What is not allowed is denied." },
	{ .name = "deny", .kind = SETTING_RULES, .section = &deny_section,
	  .offset = offsetof(struct resource_settings, deny),
	  .count_offset = offsetof(struct resource_settings, deny_count),
	  .help = "What a role may not do, whatever any other rule or role allows." },
};
static const struct section resource_section = {
	.title = "a resource", .settings = resource_rows, .count = ARRAY_LEN(resource_rows),
	.size = sizeof(struct resource_settings), .lower_names = true,
	.name_offset = offsetof(struct resource_settings, name), .place_offset = offsetof(struct resource_settings, place),
};

/* audit, state */

static const struct choice when_full[] = { { "refuse", 0, NULL } };
static const struct choice durabilities[] = { { "write", AUDIT_WRITE, NULL }, { "fsync", AUDIT_FSYNC, NULL } };
static const struct setting audit_rows[] = {
	{ .name = "path", .kind = SETTING_PATH, .fallback = "audit/", .offset = offsetof(struct audit_settings, path),
	  .help = "The folder of the log, its checkpoints and their key." },
	{ .name = "when_full", .kind = SETTING_CHOICE, .fallback = "refuse", .offset = SETTING_UNKEPT,
	  .choices = when_full, .choice_count = ARRAY_LEN(when_full),
	  .help = "What happens to a request whose record cannot be kept: it is refused with 503. There is no other "
	          "choice; the key is here so that a file can say so." },
	{ .name = "durability", .kind = SETTING_CHOICE, .fallback = "write",
	  .offset = offsetof(struct audit_settings, durability),
	  .choices = durabilities, .choice_count = ARRAY_LEN(durabilities),
	  .help = "`write`: a record is with the kernel before the answer leaves (survives a crash of ours) and on disk "
	          "within a second. `fsync`: it is on disk before the answer leaves (survives a power cut)." },
	{ .name = "segment_size", .kind = SETTING_SIZE, .min = 4 * KIB, .max = (uint64_t)4 * GIB, .fallback = "64MiB",
	  .offset = offsetof(struct audit_settings, segment_bytes),
	  .help = "A new file is begun after this many bytes." },
	{ .name = "checkpoint_records", .kind = SETTING_NUMBER, .min = 1, .max = 1000000, .fallback = "1000",
	  .offset = offsetof(struct audit_settings, checkpoint_records),
	  .help = "A signed checkpoint at least every so many records." },
	{ .name = "checkpoint_interval", .kind = SETTING_MILLISECONDS, .min = 10, .max = HOUR_MS, .fallback = "1s",
	  .offset = offsetof(struct audit_settings, checkpoint_ms),
	  .help = "... and at least this often while records come in." },
};
static const struct section audit_section = {
	.title = "audit", .settings = audit_rows, .count = ARRAY_LEN(audit_rows),
};
static const struct setting state_rows[] = {
	{ .name = "path", .kind = SETTING_PATH, .fallback = "state/", .offset = offsetof(struct settings, state_path),
	  .help = "The folder of users, refresh tokens and signing keys." },
};
static const struct section state_section = {
	.title = "state", .settings = state_rows, .count = ARRAY_LEN(state_rows),
};

/* limits, login, sessions, outbound, sandbox */

static const struct setting limit_rows[] = {
	{ .name = "connections", .kind = SETTING_NUMBER, .min = 1, .max = 1000000, .fallback = "10000",
	  .offset = offsetof(struct limit_settings, connections), .help = "Open at once, in each worker." },
	{ .name = "connections_per_address", .kind = SETTING_NUMBER, .min = 1, .max = 1000000, .fallback = "1000",
	  .offset = offsetof(struct limit_settings, connections_per_address),
	  .help = "Open at once from one client address, in each worker. Raise it behind a reverse proxy, which is one "
	          "address." },
	{ .name = "head_timeout", .kind = SETTING_MILLISECONDS, .min = 100, .max = 5 * MINUTE_MS, .fallback = "10s",
	  .offset = offsetof(struct limit_settings, head_timeout_ms),
	  .help = "From the first byte of a request to the end of its head." },
	{ .name = "idle_timeout", .kind = SETTING_MILLISECONDS, .min = 100, .max = HOUR_MS, .fallback = "60s",
	  .offset = offsetof(struct limit_settings, idle_timeout_ms),
	  .help = "A kept-alive connection without a request is closed." },
	{ .name = "write_timeout", .kind = SETTING_MILLISECONDS, .min = 100, .max = HOUR_MS, .fallback = "30s",
	  .offset = offsetof(struct limit_settings, write_timeout_ms),
	  .help = "A client that takes no byte of its answer for so long is dropped." },
	{ .name = "body_rate", .kind = SETTING_RATE, .min = 1, .max = GIB, .fallback = "500B",
	  .offset = offsetof(struct limit_settings, body_rate_min),
	  .help = "The least a request body must bring each second, after 5 seconds of grace." },
	{ .name = "body_size", .kind = SETTING_SIZE, .min = KIB, .max = GIB, .fallback = "1MiB",
	  .offset = offsetof(struct limit_settings, body_bytes), .help = "The largest request body." },
	{ .name = "response_size", .kind = SETTING_SIZE, .min = 4 * KIB, .max = (uint64_t)4 * GIB, .fallback = "16MiB",
	  .offset = offsetof(struct limit_settings, response_bytes),
	  .help = "The largest answer that is gathered whole. A list of more than 256 KiB leaves in parts and has no such limit." },
	{ .name = "drain_timeout", .kind = SETTING_MILLISECONDS, .min = 0, .max = HOUR_MS, .fallback = "30s",
	  .offset = offsetof(struct limit_settings, drain_timeout_ms),
	  .help = "How long requests under way may go on after a reload or a stop." },
	{ .name = "stream_idle_timeout", .kind = SETTING_MILLISECONDS, .min = 1000, .max = 24 * HOUR_MS, .fallback = "10m",
	  .offset = offsetof(struct limit_settings, stream_idle_ms),
	  .help = "A WebSocket, or an answer of a service that streams, on which nothing moves either way for so long is "
	          "closed." },
	{ .name = "caller", .kind = SETTING_SECTION, .section = &quota_section,
	  .offset = offsetof(struct settings, caller_quota) - offsetof(struct settings, limits),
	  .place_offset = offsetof(struct settings, caller_quota.place) - offsetof(struct settings, limits),
	  .help = "What each caller may spend, whatever it calls and whatever its roles are. A caller is who the token "
	          "names, and without one the address." },
};
static const struct section limit_section = {
	.title = "limits", .settings = limit_rows, .count = ARRAY_LEN(limit_rows),
};
static const struct setting login_rows[] = {
	{ .name = "hash_workers", .kind = SETTING_NUMBER, .min = 1, .max = 64, .fallback = "2",
	  .offset = offsetof(struct login_settings, hash_workers),
	  .help = "Passwords checked at the same time. Each takes 64 MiB of memory." },
	{ .name = "hash_queue", .kind = SETTING_NUMBER, .min = 1, .max = 4096, .fallback = "64",
	  .offset = offsetof(struct login_settings, hash_queue),
	  .help = "Logins that may wait; further ones are told to come back later (429)." },
};
static const struct section login_section = {
	.title = "login", .settings = login_rows, .count = ARRAY_LEN(login_rows),
};
static const struct setting session_rows[] = {
	{ .name = "ttl", .kind = SETTING_SECONDS, .min = MINUTE_S, .max = 12 * HOUR_S, .fallback = "1h",
	  .offset = offsetof(struct session_settings, ttl_s),
	  .help = "How long a session lives. Then the issuer is asked again, often without a question to the person." },
	{ .name = "issuer", .kind = SETTING_ENTRY, .of = "issuers", .offset = offsetof(struct session_settings, issuer),
	  .help = "The issuer that pages send people to; it must have `login`. Default: the first that has." },
};
static const struct section session_section = {
	.title = "sessions", .settings = session_rows, .count = ARRAY_LEN(session_rows),
};
static const struct setting ca_rows[] = {
	{ .name = "file", .kind = SETTING_PATH, .required = true, .offset = offsetof(struct outbound_settings, ca_file),
	  .help = "Certificates in PEM form." },
};
static const struct section ca_section = {
	.title = "ca", .settings = ca_rows, .count = ARRAY_LEN(ca_rows),
};
static const struct setting outbound_rows[] = {
	{ .name = "ca", .kind = SETTING_SECTION, .section = &ca_section,
	  .help = "The authorities whose certificates are trusted, instead of the system's." },
	{ .name = "private_hosts", .kind = SETTING_TEXTS, .form = &form_host, .min = 1, .max = 64,
	  .offset = offsetof(struct outbound_settings, private_hosts),
	  .count_offset = offsetof(struct outbound_settings, private_host_count),
	  .help = "Hosts that may have private, link-local or loopback addresses. Every other host that resolves to "
	          "one is refused, unless the URL itself says loopback." },
	{ .name = "timeout", .kind = SETTING_MILLISECONDS, .min = 100, .max = 5 * SECOND_MS, .fallback = "5s",
	  .offset = offsetof(struct outbound_settings, timeout_ms),
	  .help = "How long one request to an identity provider may take, from the look-up of its name to the last "
	          "byte." },
};
static const struct section outbound_section = {
	.title = "outbound", .settings = outbound_rows, .count = ARRAY_LEN(outbound_rows),
};
static const struct setting sandbox_rows[] = {
	{ .name = "required", .kind = SETTING_BOOL, .fallback = "false",
	  .offset = offsetof(struct settings, sandbox_required),
	  .help = "Refuse to start where the kernel lacks a part of the sandbox, instead of saying so in the log." },
};
static const struct section sandbox_section = {
	.title = "sandbox", .settings = sandbox_rows, .count = ARRAY_LEN(sandbox_rows),
};

/* The file */

static const struct choice worker_words[] = { { "auto", 0, NULL } };
static const struct setting root_rows[] = {
	{ .name = "listen", .kind = SETTING_SECTION, .section = &listen_section, .help = "Where callers connect." },
	{ .name = "public_url", .kind = SETTING_TEXT, .form = &form_origin, .min = 1, .max = 1024,
	  .offset = offsetof(struct settings, public_url),
	  .help = "How callers reach us: the issuer name in our own tokens, and the start of every link. Set it behind "
	          "a proxy, and where `listen.http` is a wildcard address. Default: `http://`, or `https://` where it has `tls`, and the address of "
	          "`listen.http`." },
	{ .name = "workers", .kind = SETTING_NUMBER, .min = 1, .max = 256, .fallback = "auto",
	  .offset = offsetof(struct settings, workers), .choices = worker_words, .choice_count = ARRAY_LEN(worker_words),
	  .help = "Processes that serve requests; `auto` is one for each processor." },
	{ .name = "issuers", .kind = SETTING_MAP, .section = &issuer_section, .max = 64,
	  .offset = offsetof(struct settings, issuers), .count_offset = offsetof(struct settings, issuer_count),
	  .help = "Who may say who someone is. At most one is of type `local`: our own users, whose tokens name "
	          "`public_url` as their issuer." },
	{ .name = "backends", .kind = SETTING_MAP, .section = &backend_section, .max = 64,
	  .offset = offsetof(struct settings, backends), .count_offset = offsetof(struct settings, backend_count),
	  .help = "Where data is: databases, and services of HTTP." },
	{ .name = "roles", .kind = SETTING_MAP, .section = &role_section, .max = ROLES_MAX,
	  .offset = offsetof(struct settings, roles), .count_offset = offsetof(struct settings, role_count),
	  .help = "Roles in the words of people, granted from the claims of a token. All roles of a token hold at "
	          "once." },
	{ .name = "resources", .kind = SETTING_MAP, .section = &resource_section, .max = 4096,
	  .offset = offsetof(struct settings, resources), .count_offset = offsetof(struct settings, resource_count),
	  .help = "What can be reached, as `/api/NAME`. Nothing is reachable unless it stands here, and nothing is "
	          "allowed unless a role is." },
	{ .name = "routes", .kind = SETTING_LIST, .section = &route_section, .max = ROUTES_MAX,
	  .offset = offsetof(struct settings, routes), .count_offset = offsetof(struct settings, route_count),
	  .help = "What can be reached of the services behind us, by path. The first route whose host and path fit a request "
	          "counts, whatever its method. What fits none is refused." },
	{ .name = "audit", .kind = SETTING_SECTION, .section = &audit_section, .offset = offsetof(struct settings, audit),
	  .help = "The tamper-evident record of every decision." },
	{ .name = "state", .kind = SETTING_SECTION, .section = &state_section, .help = "What must survive a restart." },
	{ .name = "limits", .kind = SETTING_SECTION, .section = &limit_section,
	  .offset = offsetof(struct settings, limits), .help = "What a client can make us spend." },
	{ .name = "login", .kind = SETTING_SECTION, .section = &login_section, .offset = offsetof(struct settings, login),
	  .help = "Password checks, which are costly on purpose." },
	{ .name = "sessions", .kind = SETTING_SECTION, .section = &session_section,
	  .offset = offsetof(struct settings, sessions),
	  .help = "Sessions of people who open pages in a browser. There are some when an issuer has `login`." },
	{ .name = "outbound", .kind = SETTING_SECTION, .section = &outbound_section,
	  .offset = offsetof(struct settings, outbound), .help = "What we ask of identity providers." },
	{ .name = "telemetry", .kind = SETTING_SECTION, .section = &telemetry_section,
	  .offset = offsetof(struct settings, telemetry), .help = "What is told of requests besides the audit log." },
	{ .name = "sandbox", .kind = SETTING_SECTION, .section = &sandbox_section,
	  .help = "What the processes may ask of the kernel." },
};
const struct section config_root = {
	.title = "the configuration", .settings = root_rows, .count = ARRAY_LEN(root_rows), .size = sizeof(struct settings),
};
/* clang-format on */

struct rows
section_rows(const struct section *section, const struct variant *v)
{
	const struct row_group own = { section->settings, section->count };
	struct rows rows = { 0 };

	for (size_t g = 0; g <= (v != NULL ? v->group_count : 0); g++) {
		const struct row_group *group =
			v != NULL && g < v->group_count ? &v->groups[g] : &own;
		for (size_t i = 0; i < group->count && rows.count < ROWS_MAX; i++)
			rows.at[rows.count++] = &group->settings[i];
	}
	return rows;
}
