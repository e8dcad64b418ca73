/* curl_api.c - see curl_api.h. */
#include "fetch/curl_api.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

static const struct {
	const char *name;
	size_t member;
} functions[] = {
	{ "curl_global_init", offsetof(struct curl_api, global_init) },
	{ "curl_easy_init", offsetof(struct curl_api, easy_init) },
	{ "curl_easy_setopt", offsetof(struct curl_api, easy_setopt) },
	{ "curl_easy_getinfo", offsetof(struct curl_api, easy_getinfo) },
	{ "curl_easy_cleanup", offsetof(struct curl_api, easy_cleanup) },
	{ "curl_slist_append", offsetof(struct curl_api, slist_append) },
	{ "curl_slist_free_all", offsetof(struct curl_api, slist_free_all) },
	{ "curl_multi_init", offsetof(struct curl_api, multi_init) },
	{ "curl_multi_cleanup", offsetof(struct curl_api, multi_cleanup) },
	{ "curl_multi_setopt", offsetof(struct curl_api, multi_setopt) },
	{ "curl_multi_add_handle", offsetof(struct curl_api, multi_add_handle) },
	{ "curl_multi_remove_handle", offsetof(struct curl_api, multi_remove_handle) },
	{ "curl_multi_socket_action", offsetof(struct curl_api, multi_socket_action) },
	{ "curl_multi_assign", offsetof(struct curl_api, multi_assign) },
	{ "curl_multi_info_read", offsetof(struct curl_api, multi_info_read) },
};

struct err
curl_api_load(struct curl_api *ret)
{
	struct curl_api api;
	/* RTLD_NOW: behind the sandbox no symbol could be looked up. Never closed. */
	void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);

	if (library == NULL)
		return fail(ERR_CONFIG, "libcurl is not installed (package libcurl4)");
	for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
		void *at = dlsym(library, functions[i].name);

		if (at == NULL)
			return fail(ERR_CONFIG, "libcurl is too old");
		memcpy((char *)&api + functions[i].member, &at, sizeof at);
	}
	/* It would write the keys of every TLS connection to that file: all that is sent there
	 * could be read by who has it. */
	(void)unsetenv("SSLKEYLOGFILE");
	if (api.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return fail(ERR_SYSTEM, "libcurl does not start");
	*ret = api;
	return OK;
}
