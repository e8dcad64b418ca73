/* login_page.c - see login_page.h. */
#include "frontend/login_page.h"

static const char title[] = "Log in";

static void
put_attribute(struct buf *out, const char *name, struct bytes value)
{
	buf_printf(out, " %s=\"", name);
	html_put(out, value);
	buf_put_u8(out, '"');
}

static void
put_purpose(struct buf *out, const struct login_page *p)
{
	if (p->client.len == 0)
		return;
	buf_put_text(out, "<p><strong>");
	html_put(out, p->client);
	buf_put_text(out, "</strong> asks you to log in.");
	if (p->host.len != 0) {
		buf_put_text(out, " You then go back to <strong>");
		html_put(out, p->host);
		buf_put_text(out, "</strong>.");
	}
	buf_put_text(out, "</p>\n");
}

static void
put_problem(struct buf *out, const char *problem)
{
	uint8_t first = (uint8_t)problem[0];

	buf_put_text(out, "<p class=\"problem\" role=\"alert\" id=\"problem\">");
	if (first >= 'a' && first <= 'z') /* errors are no sentences, but this is one */
		buf_put_u8(out, (uint8_t)(first - 'a' + 'A'));
	html_put(out, bytes_text(first >= 'a' && first <= 'z' ? problem + 1 : problem));
	buf_put_text(out, ".</p>\n");
}

/* The first field has the focus; where there is a problem, it is read out with that field. */
static void
put_inputs(struct buf *out, const struct login_page *p)
{
	buf_put_text(out, "<p><label for=\"username\">User name</label>\n"
	                  "<input id=\"username\" name=\"username\" type=\"text\" "
	                  "autocomplete=\"username\" autocapitalize=\"none\" spellcheck=\"false\" "
	                  "maxlength=\"255\" required autofocus");
	if (p->problem != NULL)
		buf_put_text(out, " aria-describedby=\"problem\"");
	put_attribute(out, "value", p->username);
	buf_put_text(out, "></p>\n<p><label for=\"password\">Password</label>\n"
	                  "<input id=\"password\" name=\"password\" type=\"password\" "
	                  "autocomplete=\"current-password\" maxlength=\"1024\" required></p>\n");
}

void
login_page_put(struct buf *out, const struct login_page *p)
{
	page_begin(out, title, p->problem != NULL);
	put_purpose(out, p);
	if (p->problem != NULL)
		put_problem(out, p->problem);
	buf_put_text(out, "<form method=\"post\"");
	put_attribute(out, "action", bytes_text(p->action));
	buf_put_text(out, ">\n<input type=\"hidden\"");
	put_attribute(out, "name", bytes_text(p->hidden));
	put_attribute(out, "value", p->value);
	buf_put_text(out, ">\n");
	put_inputs(out, p);
	buf_put_text(out, "<p><button type=\"submit\">Log in</button>\n");
	if (p->can_cancel)
		buf_put_text(out, "<button type=\"submit\" name=\"cancel\" value=\"yes\" "
		                  "class=\"other\" formnovalidate>Cancel</button>\n");
	buf_put_text(out, "</p>\n</form>\n");
	page_end(out);
}

void
login_page_put_refusal(struct buf *out, const char *why)
{
	page_begin(out, "This does not work", true);
	put_problem(out, why);
	buf_put_text(out, "<p>Go back to where you came from and try again. If that does not help, "
	                  "tell the people who run it.</p>\n");
	page_end(out);
}
