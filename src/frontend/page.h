/* page.h - the frame of the few HTML pages that are written here: plain, readable without the style
 * sheet, and without script. */
#ifndef FRONTEND_PAGE_H
#define FRONTEND_PAGE_H

#include "base/buf.h"

#define PAGE_TYPE "text/html; charset=utf-8"

/* The one escaper: text between tags and in quoted attributes. What is not UTF-8, and control
 * bytes, become U+FFFD. */
void html_put(struct buf *out, struct bytes text);

/* Everything up to the heading, which is the title. A page that reports a problem says so in its
 * title, which is what a screen reader says first. */
void page_begin(struct buf *out, const char *title, bool is_problem);
void page_end(struct buf *out);

/* The field lines that belong to every page: Content-Security-Policy, X-Frame-Options,
 * Referrer-Policy. `redirect_uri` is where the answer to the page's form may lead (Chromium holds
 * redirects to form-action too); empty: nowhere but here. Under this referrer policy a browser
 * sends `Origin: null` with the form: look at Sec-Fetch-Site. */
void page_put_fields(struct buf *fields, struct bytes redirect_uri);

#endif
