/* openapi_write.c - see openapi_write.h. Texts are written as JSON strings, which are YAML. */
#include "main/openapi_write.h"

#include "base/macros.h"

enum { GET = 1 << 0, HEAD = 1 << 1 };

/* In a comment: one line, and nothing that moves a cursor. */
static void
put_plain(struct buf *out, struct bytes text)
{
	for (size_t i = 0; i < text.len && i < 200; i++)
		buf_put_u8(out, text.at[i] >= ' ' && text.at[i] < 0x7f ? text.at[i] : '?');
}

static void
put_head(struct buf *out, const struct openapi *o, const char *source)
{
	buf_put_text(out, "# Made by `gatewarden import openapi` from ");
	put_plain(out, bytes_text(source));
	buf_put_text(out, ".\n# ");
	put_plain(out, o->title);
	buf_put_text(
		out,
		"\n#\n"
		"# Read it before it is used: it says who may call what as the document does.\n"
		"# - A star at the end of a path fits one segment, and also none or several.\n"
		"# - The first route that fits a path counts, whatever its methods are.\n"
		"# - With `observe: true` in a route nothing is refused there, only recorded.\n");
	if (o->base_path.len > 0) {
		buf_put_text(out, "# - Paths begin with that of the document's server: ");
		put_plain(out, o->base_path);
		buf_put_u8(out, '\n');
	}
	for (size_t i = 0; i < o->note_count; i++) {
		buf_put_text(out, "# - ");
		buf_put(out, o->notes[i]);
		buf_put_u8(out, '\n');
	}
}

static void
put_text(struct buf *out, const char *text)
{
	json_put_string(out, bytes_text(text));
}

/* Where tokens come from is not for the document to say: it is named in comments. */
static void
put_issuers(struct buf *out, const struct openapi *o)
{
	const struct json *schemes =
		json_member(json_member(o->document, "components"), "securitySchemes");

	buf_put_text(out, "\nissuers:\n"
	                  "  # Users of our own. With another issuer, put its type here, and in "
	                  "granted_by what stands in its tokens.\n");
	for (const struct json *s =
	             schemes != NULL && schemes->type == JSON_OBJECT ? json_first(schemes) : NULL;
	     s != NULL; s = json_next(schemes, s)) {
		struct bytes type = json_member_text(s + 1, "type"),
			     url = json_member_text(s + 1, "openIdConnectUrl");
		buf_put_text(out, "  # The document has the scheme ");
		put_plain(out, s->text);
		buf_put_text(out, " of type ");
		put_plain(out, type);
		if (url.len > 0) {
			buf_put_text(out, " at ");
			put_plain(out, url);
		}
		buf_put_text(out, bytes_is(type, "apiKey") || bytes_is(type, "mutualTLS")
		                          ? ", which is not looked at: a token stands for it.\n"
		                          : ".\n");
	}
	buf_put_text(out, "  local: {type: local, audience: \"api://service\"}\n");
}

static void
put_roles(struct buf *out, const struct openapi *o)
{
	buf_put_text(out, o->role_count > 0 ? "\nroles:\n" : "");
	for (size_t i = 0; i < o->role_count; i++) {
		const struct openapi_role *role = &o->roles[i];
		struct buf grant CLEANUP(buf_done) = { 0 };

		if (role->scopes.len == 0)
			buf_put_text(out, "  # Any good token was enough: give it to everybody who "
			                  "may come.\n");
		else if (bytes_find(role->scopes, ' ') < role->scopes.len)
			buf_put_text(out, "  # Several scopes at once: one role stands for who has "
			                  "them all.\n");
		else if (role->description.len > 0) {
			buf_put_text(out, "  # ");
			put_plain(out, role->description);
			buf_put_u8(out, '\n');
		}
		buf_put_text(out, "  ");
		put_text(out, role->name);
		buf_put_text(&grant, "local:");
		buf_put(&grant, role->scopes.len > 0 ? role->scopes : BYTES("authenticated"));
		buf_put_text(out, ": {granted_by: [");
		json_put_string(out, buf_bytes(&grant));
		buf_put_text(out, "]}\n");
	}
}

/* GET brings HEAD. */
static void
put_methods(struct buf *out, unsigned methods)
{
	const char *before = "";

	if ((methods & GET) != 0)
		methods &= ~(unsigned)HEAD;
	buf_put_u8(out, '[');
	for (size_t m = 0; m < ROUTE_METHOD_COUNT; m++)
		if ((methods >> m & 1) != 0) {
			buf_printf(out, "%s%s", before, route_methods[m]);
			before = ", ";
		}
	buf_put_u8(out, ']');
}

static void
put_route(struct buf *out, const struct openapi *o, const struct openapi_route *route,
          const char *strip)
{
	const char *before = "";

	if (route->titles.len > 0) {
		buf_put_text(out, "  # ");
		put_plain(out, route->titles);
		buf_put_u8(out, '\n');
	}
	buf_put_text(out, "  - path: ");
	json_put_string(out, route->path);
	buf_put_text(out, "\n    backend: service\n");
	if (strip[0] != 0) {
		buf_put_text(out, "    strip: ");
		put_text(out, strip);
		buf_put_u8(out, '\n');
	}
	if (route->public != 0) {
		buf_put_text(out, "    public: ");
		put_methods(out, route->public);
		buf_put_u8(out, '\n');
	}
	for (size_t i = 0; i < o->role_count; i++) {
		if (route->allow[i] == 0)
			continue;
		buf_put_text(out, before[0] == 0 ? "    allow: {" : before);
		put_text(out, o->roles[i].name);
		buf_put_text(out, ": ");
		put_methods(out, route->allow[i]);
		before = ", ";
	}
	buf_put_text(out, before[0] != 0 ? "}\n" : "");
}

void
openapi_write(struct buf *out, const struct openapi *o, const char *source, struct bytes backend,
              const char *strip)
{
	put_head(out, o, source);
	buf_put_text(out, "\nlisten: {http: 127.0.0.1:8080}\n");
	put_issuers(out, o);
	buf_put_text(out, "\nbackends:\n  service: {type: http, url: ");
	json_put_string(out, backend);
	buf_put_text(out, "}\n");
	put_roles(out, o);
	buf_put_text(out, o->route_count > 0 ? "\nroutes:\n" : "\nroutes: []\n");
	for (size_t i = 0; i < o->route_count; i++)
		put_route(out, o, &o->routes[i], strip);
}
