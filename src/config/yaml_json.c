/* yaml_json.c - see yaml_json.h. */
#include "config/yaml_json.h"

#include "base/macros.h"
#include "config/config_yaml.h"
#include "format/json.h"

static const size_t SCRATCH_MAX = (size_t)64 << 20;

static void
put_scalar(struct buf *out, const struct node *n)
{
	bool is_word = n->plain && (bytes_is(n->text, "true") || bytes_is(n->text, "false"));

	if (node_is_null(n))
		buf_put_text(out, "null");
	else if (is_word)
		buf_put(out, n->text);
	else
		json_put_string(out, n->text);
}

/* A collection is open while its members are written; what the reader refused has none. */
static void
put_tree(struct buf *out, const struct node *root)
{
	const struct node *open[YAML_DEPTH_MAX + 1], *at = root;
	size_t depth = 0;

	while (at != NULL) {
		bool is_map = at->kind == NODE_MAP;

		if (depth > 0 && open[depth - 1]->kind == NODE_MAP) {
			json_put_string(out, at->key);
			buf_put_u8(out, ':');
		}
		if ((is_map || at->kind == NODE_LIST) && depth < ARRAY_LEN(open)) {
			buf_put_u8(out, is_map ? '{' : '[');
			open[depth++] = at;
			if (at->first != NULL) {
				at = at->first;
				continue;
			}
			depth--;
			buf_put_u8(out, is_map ? '}' : ']');
		} else {
			put_scalar(out, at);
		}
		while (at->next == NULL && depth > 0) {
			at = open[--depth];
			buf_put_u8(out, at->kind == NODE_MAP ? '}' : ']');
		}
		if (at == root)
			return;
		buf_put_u8(out, ',');
		at = at->next;
	}
}

struct err
yaml_to_json(struct bytes text, const char *file, struct buf *out, struct config_errors *errors)
{
	struct arena scratch = { .limit = SCRATCH_MAX };
	struct problems p = { .scratch = &scratch };
	const struct node *root = yaml_parse(text, &p);
	bool good = root != NULL && p.count == 0 && !p.cut && !p.no_memory;

	if (good)
		put_tree(out, root);
	problems_report(&p, file, errors);
	arena_done(&scratch);
	return good ? buf_check(out) : fail(ERR_CONFIG, "the document cannot be read as YAML");
}
