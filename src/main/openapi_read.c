/* openapi_read.c - see openapi_read.h. */
#include "main/openapi_read.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/macros.h"
#include "config/route_path.h"

enum { REFERENCES_MAX = 8, SCOPES_MAX = 32, PATH_BYTES_MAX = 1024, GET_AND_HEAD = 3 };

static const size_t ARENA_MAX = (size_t)64 << 20;

/* Notes */

/* On one line, whatever the document has in it. */
static void
note(struct openapi *o, const char *what, struct bytes path, const char *why)
{
	struct buf text CLEANUP(buf_done) = { 0 };

	buf_printf(&text, "%s %.*s: %s", what, (int)path.len, (const char *)path.at, why);
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] < ' ' || text.at[i] >= 0x7f)
			text.at[i] = '?';
	if (o->note_count < OPENAPI_NOTES_MAX)
		o->notes[o->note_count++] = arena_copy(&o->arena, buf_bytes(&text));
}

/* References */

/* RFC 6901: "~1" is a slash, "~0" a tilde. Percent-encoding is left: nobody writes it here. */
static struct bytes
pointer_part(struct bytes raw, char *room, size_t size)
{
	size_t len = 0;

	for (size_t i = 0; i < raw.len && len < size; i++) {
		bool is_escape = raw.at[i] == '~' && i + 1 < raw.len;
		room[len++] = is_escape ? (raw.at[i + 1] == '1' ? '/' : '~') : (char)raw.at[i];
		i += is_escape;
	}
	return (struct bytes){ (const uint8_t *)room, len };
}

static const struct json *
member_named(const struct json *object, struct bytes name)
{
	if (object == NULL || object->type != JSON_OBJECT)
		return NULL;
	for (const struct json *i = json_first(object); i != NULL; i = json_next(object, i))
		if (bytes_equal(i->text, name))
			return i + 1;
	return NULL;
}

static const struct json *
point(const struct json *document, struct bytes pointer)
{
	char room[1024];

	while (pointer.len > 0 && document != NULL) {
		pointer = bytes_slice(pointer, 1, pointer.len); /* the slash */
		struct bytes raw = bytes_slice(pointer, 0, bytes_find(pointer, '/'));
		document = member_named(document, pointer_part(raw, room, sizeof room));
		pointer = bytes_slice(pointer, raw.len, pointer.len);
	}
	return document;
}

/* The object itself, or the one in the same document that it refers to; NULL: there is none. */
static const struct json *
resolve(const struct openapi *o, const struct json *object)
{
	for (unsigned i = 0; i < REFERENCES_MAX; i++) {
		struct bytes to = json_member_text(object, "$ref");

		if (to.len == 0)
			return object;
		if (!bytes_starts(to, BYTES("#/")))
			return NULL;
		object = point(o->document, bytes_slice(to, 1, to.len));
	}
	return NULL;
}

/* Roles */

static bool
is_name_byte(uint8_t c)
{
	uint8_t lower = c | 0x20;

	return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static bool
has_role_named(const struct openapi *o, const char *name)
{
	for (size_t i = 0; i < o->role_count; i++)
		if (strcmp(o->roles[i].name, name) == 0)
			return true;
	return false;
}

/* The scopes in the bytes that a name may have; with a number where another has that name. */
static void
name_role(struct openapi *o, struct openapi_role *role)
{
	enum { ROOM_FOR_NUMBER = 4 };
	struct bytes from = role->scopes.len > 0 ? role->scopes : BYTES("authenticated");
	size_t len = 0;

	for (size_t i = 0; i < from.len && len < OPENAPI_ROLE_NAME_MAX - ROOM_FOR_NUMBER; i++)
		role->name[len++] = is_name_byte(from.at[i]) ? (char)from.at[i] : '-';
	for (unsigned i = 2; has_role_named(o, role->name); i++)
		(void)snprintf(role->name + len, ROOM_FOR_NUMBER + 1, "-%u", i);
}

/* A text that goes into the configuration as it is: nothing in it may be taken for a variable. */
static bool
is_plain_scope(struct bytes scope)
{
	for (size_t i = 0; i < scope.len; i++)
		if (scope.at[i] <= ' ' || scope.at[i] > '~' || scope.at[i] == '$')
			return false;
	return scope.len > 0 && scope.len <= 128;
}

static struct bytes
scope_description(const struct openapi *o, struct bytes scope)
{
	const struct json *schemes =
		json_member(json_member(o->document, "components"), "securitySchemes");

	if (schemes == NULL || schemes->type != JSON_OBJECT)
		return (struct bytes){ 0 };
	for (const struct json *s = json_first(schemes); s != NULL; s = json_next(schemes, s)) {
		const struct json *flows = json_member(resolve(o, s + 1), "flows");
		if (flows == NULL || flows->type != JSON_OBJECT)
			continue;
		for (const struct json *f = json_first(flows); f != NULL; f = json_next(flows, f)) {
			struct bytes text = { 0 };
			if (json_string(member_named(json_member(f + 1, "scopes"), scope), &text))
				return text;
		}
	}
	return (struct bytes){ 0 };
}

static struct err
role_of(struct openapi *o, struct bytes scopes, size_t *ret)
{
	for (size_t i = 0; i < o->role_count; i++)
		if (bytes_equal(o->roles[i].scopes, scopes)) {
			*ret = i;
			return OK;
		}
	if (o->role_count == ROLES_MAX)
		return fail(ERR_LIMIT, "the document asks for more different scopes than there may "
		                       "be roles (64)");
	struct openapi_role *role = &o->roles[o->role_count];
	role->scopes = arena_copy(&o->arena, scopes);
	role->description = scope_description(o, scopes);
	name_role(o, role);
	*ret = o->role_count++;
	return OK;
}

/* Security requirements: one of the list is enough; of one, all schemes and scopes are needed. */

struct scopes {
	struct bytes at[SCOPES_MAX];
	size_t count;
};

static int
compare_scopes(const void *a, const void *b)
{
	return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

static bool
add_scope(struct scopes *s, struct bytes scope)
{
	for (size_t i = 0; i < s->count; i++)
		if (bytes_equal(s->at[i], scope))
			return true;
	if (s->count == SCOPES_MAX || !is_plain_scope(scope))
		return false;
	s->at[s->count++] = scope;
	return true;
}

static bool
read_scopes(const struct json *requirement, struct scopes *ret)
{
	*ret = (struct scopes){ 0 };
	for (const struct json *s = json_first(requirement); s != NULL;
	     s = json_next(requirement, s)) {
		const struct json *list = s + 1;
		if (list->type != JSON_ARRAY)
			return false;
		for (const struct json *i = json_first(list); i != NULL; i = json_next(list, i))
			if (i->type != JSON_STRING || !add_scope(ret, i->text))
				return false;
	}
	qsort(ret->at, ret->count, sizeof ret->at[0], compare_scopes);
	return true;
}

static struct err
allow_requirement(struct openapi *o, struct openapi_route *route, unsigned methods,
                  const struct json *requirement)
{
	struct buf joined CLEANUP(buf_done) = { 0 };
	struct scopes scopes;
	size_t role;

	if (requirement->type != JSON_OBJECT || !read_scopes(requirement, &scopes)) {
		note(o, "path", route->path, "a requirement has scopes that cannot be roles");
		return OK;
	}
	if (requirement->count == 0) {
		route->public |= methods;
		return OK;
	}
	for (size_t i = 0; i < scopes.count; i++) {
		buf_put_text(&joined, i > 0 ? " " : "");
		buf_put(&joined, scopes.at[i]);
	}
	TRY(buf_check(&joined));
	TRY(role_of(o, buf_bytes(&joined), &role));
	route->allow[role] |= methods;
	return OK;
}

static struct err
allow(struct openapi *o, struct openapi_route *route, unsigned methods,
      const struct json *operation)
{
	const struct json *security = json_member(operation, "security");

	if (security == NULL)
		security = json_member(o->document, "security");
	if (security == NULL || (security->type == JSON_ARRAY && security->count == 0)) {
		route->public |= methods;
		return OK;
	}
	if (security->type != JSON_ARRAY) {
		note(o, "path", route->path, "its security is no list: nobody is allowed");
		return OK;
	}
	for (const struct json *i = json_first(security); i != NULL; i = json_next(security, i))
		TRY(allow_requirement(o, route, methods, i));
	return OK;
}

/* Paths */

static bool
is_plain_segment(struct bytes segment)
{
	for (size_t i = 0; i < segment.len; i++)
		if (segment.at[i] <= ' ' || segment.at[i] > '~' ||
		    strchr("\\%?#;*${}\"", segment.at[i]) != NULL)
			return false;
	return segment.len > 0 && !bytes_is(segment, ".") && !bytes_is(segment, "..");
}

/* "/items/{id}/" -> "/items/" and a star; false: no route can say it. */
static bool
put_path(struct openapi *o, struct bytes from, struct buf *out)
{
	struct bytes rest = from, segment;
	size_t count = 0;

	if (from.len > 1 && from.at[from.len - 1] == '/')
		rest.len--; /* a route fits with and without */
	while (route_path_next(&rest, &segment)) {
		bool is_variable = bytes_find(segment, '{') < segment.len;
		bool is_whole = is_variable && segment.at[0] == '{' &&
		                bytes_find(segment, '}') == segment.len - 1;

		if (is_variable && !is_whole)
			note(o, "path", from,
			     "a segment is a variable in part: any text fits there");
		if ((!is_variable && !is_plain_segment(segment)) || ++count > ROUTE_SEGMENTS_MAX)
			return false;
		buf_put_u8(out, '/');
		buf_put(out, is_variable ? BYTES("*") : segment);
	}
	return out->len <= PATH_BYTES_MAX;
}

static struct err
route_of(struct openapi *o, struct bytes path, struct openapi_route **ret)
{
	for (size_t i = 0; i < o->route_count; i++)
		if (bytes_equal(o->routes[i].path, path)) {
			*ret = &o->routes[i];
			return OK;
		}
	if (o->route_count == ROUTES_MAX)
		return fail(ERR_LIMIT, "the document has more paths than there may be routes");
	struct openapi_route *route = &o->routes[o->route_count++];
	*route = (struct openapi_route){ .path = arena_copy(&o->arena, path) };
	*ret = route;
	return OK;
}

static void
add_title(struct openapi *o, struct openapi_route *route, const struct json *operation)
{
	struct bytes id = json_member_text(operation, "operationId");
	struct buf text CLEANUP(buf_done) = { 0 };

	for (size_t i = 0; i < id.len; i++)
		if (!is_name_byte(id.at[i]))
			return;
	if (id.len == 0 || route->titles.len + id.len > 200)
		return;
	buf_put(&text, route->titles);
	buf_put_text(&text, text.len > 0 ? ", " : "");
	buf_put(&text, id);
	route->titles = arena_copy(&o->arena, buf_bytes(&text));
}

static const struct {
	const char *name;
	unsigned methods;
} operations[] = {
	{ "get", GET_AND_HEAD }, { "head", 1 << 1 },   { "post", 1 << 2 },    { "put", 1 << 3 },
	{ "patch", 1 << 4 },     { "delete", 1 << 5 }, { "options", 1 << 6 },
};

static struct err
read_item(struct openapi *o, struct bytes path, const struct json *item)
{
	struct buf text CLEANUP(buf_done) = { 0 };
	struct openapi_route *route = NULL;
	const char *ours;

	if (!put_path(o, path, &text)) {
		note(o, "path", path, "it is left out: no route can have it");
		return OK;
	}
	if (text.len == 0)
		buf_put_u8(&text, '/');
	TRY(buf_check(&text));
	if ((ours = route_path_endpoint(buf_bytes(&text))) != NULL) {
		note(o, "path", path,
		     "it is left out: the gate has this path itself; with --prefix it can be "
		     "reached");
		return OK;
	}
	if (json_member(item, "trace") != NULL)
		note(o, "path", path, "TRACE is left out: no route can have it");
	for (size_t i = 0; i < ARRAY_LEN(operations); i++) {
		const struct json *operation = json_member(item, operations[i].name);
		if (operation == NULL || operation->type != JSON_OBJECT)
			continue;
		TRY(route_of(o, buf_bytes(&text), &route));
		add_title(o, route, operation);
		TRY(allow(o, route, operations[i].methods, operation));
	}
	return OK;
}

static struct err
read_paths(struct openapi *o, const char *prefix)
{
	const struct json *paths = json_member(o->document, "paths");

	if (paths == NULL || paths->type != JSON_OBJECT)
		return fail(ERR_CONFIG, "the document has no paths");
	for (const struct json *p = json_first(paths); p != NULL; p = json_next(paths, p)) {
		struct buf path CLEANUP(buf_done) = { 0 };
		const struct json *item = resolve(o, p + 1);

		if (p->text.len == 0 || p->text.at[0] != '/')
			continue; /* "x-...": not of a path */
		buf_put_text(&path, prefix);
		buf_put(&path, o->base_path);
		buf_put(&path, p->text);
		TRY(buf_check(&path));
		if (item == NULL || item->type != JSON_OBJECT)
			note(o, "path", p->text, "it is left out: it is described elsewhere");
		else
			TRY(read_item(o, buf_bytes(&path), item));
	}
	return OK;
}

/* What is narrower comes first, as the first route that fits counts: an end before a literal, that
 * before a star, and the star that stands for any number last. */
static int
rank(bool has, struct bytes segment, struct bytes rest)
{
	return !has ? 0 : !route_path_is_star(segment) ? 1 : rest.len > 0 ? 2 : 3;
}

static int
compare_routes(const void *a, const void *b)
{
	struct bytes x = ((const struct openapi_route *)a)->path, one = { 0 };
	struct bytes y = ((const struct openapi_route *)b)->path, two = { 0 };

	for (;;) {
		bool has_one = route_path_next(&x, &one), has_two = route_path_next(&y, &two);
		int difference = rank(has_one, one, x) - rank(has_two, two, y);

		if (difference == 0 && has_one && has_two)
			difference = bytes_compare(one, two);
		if (difference != 0 || !has_one)
			return difference;
	}
}

/* Servers */

static void
read_server(struct openapi *o)
{
	const struct json *servers = json_member(o->document, "servers");
	struct bytes url = { 0 }, rest;

	if (servers == NULL || servers->type != JSON_ARRAY || servers->count == 0)
		return;
	url = json_member_text(json_first(servers), "url");
	if (bytes_find(url, '{') < url.len)
		return; /* a template: nobody knows which */
	size_t scheme = bytes_find(url, ':');
	rest = url;
	if (bytes_starts(url, BYTES("http://")) || bytes_starts(url, BYTES("https://"))) {
		rest = bytes_slice(url, scheme + 3, url.len);
		rest = bytes_slice(rest, bytes_find(rest, '/'), rest.len);
		o->server = bytes_slice(url, 0, url.len - rest.len);
	}
	while (rest.len > 0 && rest.at[rest.len - 1] == '/')
		rest.len--;
	if (rest.len > 0 && rest.at[0] == '/')
		o->base_path = rest;
}

static struct err
read_document(struct openapi *o, const char *prefix)
{
	struct bytes version = json_member_text(o->document, "openapi");

	if (json_member(o->document, "swagger") != NULL)
		return fail(ERR_CONFIG, "it is of Swagger 2; expected OpenAPI 3.0 or 3.1");
	if (!bytes_starts(version, BYTES("3.0")) && !bytes_starts(version, BYTES("3.1")))
		return fail(ERR_CONFIG, "it is no OpenAPI document of version 3.0 or 3.1");
	o->title = json_member_text(json_member(o->document, "info"), "title");
	o->routes = arena_array(&o->arena, ROUTES_MAX, sizeof *o->routes);
	if (o->routes == NULL)
		return fail(ERR_LIMIT, "the document does not fit into memory");
	read_server(o);
	TRY(read_paths(o, prefix));
	qsort(o->routes, o->route_count, sizeof *o->routes, compare_routes);
	return OK;
}

struct err
openapi_read(struct bytes text, const char *prefix, struct openapi *ret)
{
	*ret = (struct openapi){ .arena = { .limit = ARENA_MAX } };
	TRY(json_parse(text, &ret->arena, &ret->document, NULL));
	return read_document(ret, prefix);
}

void
openapi_done(struct openapi *o)
{
	arena_done(&o->arena);
}
