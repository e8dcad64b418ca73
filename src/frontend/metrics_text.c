/* metrics_text.c - the counters as Prometheus reads them: text exposition format 0.0.4. */
#include "frontend/metrics.h"

#include <stdio.h>

static const char *const types[] = { "counter", "gauge", "histogram" };

static const char *
suffix_of(enum metrics_type type)
{
	return type == METRICS_COUNTER ? "_total" : "";
}

static void
put_family(void *of, const struct metrics_family *f)
{
	struct buf *out = of;

	buf_printf(out, "# HELP gatewarden_%s%s %s\n# TYPE gatewarden_%s%s %s\n", f->name,
	           suffix_of(f->type), f->help, f->name, suffix_of(f->type), types[f->type]);
}

/* Escapes what the format has an escape for; line ends cannot stand in a name of ours. */
static void
put_label(struct buf *out, const char *name, struct bytes value)
{
	buf_put_text(out, name);
	buf_put_text(out, "=\"");
	for (size_t i = 0; i < value.len; i++) {
		if (value.at[i] == '"' || value.at[i] == '\\')
			buf_put_u8(out, '\\');
		buf_put_u8(out, value.at[i]);
	}
	buf_put_u8(out, '"');
}

/* `bound`: of a bucket; NULL: none. */
static void
put_labels(struct buf *out, const struct metrics_point *p, const char *bound)
{
	if (p->label_count == 0 && bound == NULL)
		return;
	buf_put_u8(out, '{');
	for (size_t i = 0; i < p->label_count; i++) {
		if (i > 0)
			buf_put_u8(out, ',');
		put_label(out, p->labels[i].name, p->labels[i].value);
	}
	if (bound != NULL) {
		if (p->label_count > 0)
			buf_put_u8(out, ',');
		put_label(out, "le", bytes_text(bound));
	}
	buf_put_u8(out, '}');
}

static void
put_value(struct buf *out, const struct metrics_point *p)
{
	if (p->is_micro)
		buf_printf(out, " %lu.%06lu\n", p->value / 1000000, p->value % 1000000);
	else
		buf_printf(out, " %lu\n", p->value);
}

static void
put_histogram(struct buf *out, const struct metrics_family *f, const struct metrics_point *p)
{
	uint64_t below = 0;

	for (size_t i = 0; i < METRICS_BUCKETS; i++) {
		char bound[32] = "+Inf";

		if (i < METRICS_BUCKETS - 1) /* at most 12 characters */
			(void)snprintf(bound, sizeof bound, "%g",
			               (double)METRICS_BOUNDS_US[i] / 1e6);
		below += p->buckets[i];
		buf_printf(out, "gatewarden_%s_bucket", f->name);
		put_labels(out, p, bound);
		buf_printf(out, " %lu\n", below);
	}
	buf_printf(out, "gatewarden_%s_sum", f->name);
	put_labels(out, p, NULL);
	put_value(out, p);
	buf_printf(out, "gatewarden_%s_count", f->name);
	put_labels(out, p, NULL);
	buf_printf(out, " %lu\n", below);
}

static void
put_point(void *of, const struct metrics_family *f, const struct metrics_point *p)
{
	struct buf *out = of;

	if (f->type == METRICS_HISTOGRAM) {
		put_histogram(out, f, p);
		return;
	}
	buf_printf(out, "gatewarden_%s%s", f->name, suffix_of(f->type));
	put_labels(out, p, NULL);
	put_value(out, p);
}

void
metrics_put(struct buf *out, const struct metrics *m, const struct settings *settings)
{
	static const struct metrics_reader text = { .family = put_family, .point = put_point };

	metrics_read(m, settings, &text, out);
}
