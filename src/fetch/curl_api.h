/* curl_api.h - libcurl, loaded by the one process that uses it. Linked into the program, it and the
 * thirty libraries it stands on would be part of every process: measured 4 MiB resident (0.7 MiB
 * of it private) and 4 ms of each start, and code beside the bytes of callers that no caller needs.
 *
 * The members are the functions of <curl/curl.h> and <curl/multi.h> by their names without
 * "curl_". */
#ifndef FETCH_CURL_API_H
#define FETCH_CURL_API_H

#include <curl/curl.h>

#include "base/err.h"

struct curl_api {
	__typeof__(&curl_global_init) global_init;
	__typeof__(&curl_easy_init) easy_init;
	__typeof__(&(curl_easy_setopt)) easy_setopt;
	__typeof__(&(curl_easy_getinfo)) easy_getinfo;
	__typeof__(&curl_easy_cleanup) easy_cleanup;
	__typeof__(&curl_slist_append) slist_append;
	__typeof__(&curl_slist_free_all) slist_free_all;
	__typeof__(&curl_multi_init) multi_init;
	__typeof__(&curl_multi_cleanup) multi_cleanup;
	__typeof__(&(curl_multi_setopt)) multi_setopt;
	__typeof__(&curl_multi_add_handle) multi_add_handle;
	__typeof__(&curl_multi_remove_handle) multi_remove_handle;
	__typeof__(&curl_multi_socket_action) multi_socket_action;
	__typeof__(&curl_multi_assign) multi_assign;
	__typeof__(&curl_multi_info_read) multi_info_read;
};

/* Before the sandbox closes. ERR_CONFIG: it is not installed, or too old. */
struct err curl_api_load(struct curl_api *ret);

#endif
