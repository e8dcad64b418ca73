/* supervisor.c - see supervisor.h.
 *
 * Children: one keeper, one ledger, and a generation of workers. A reload starts the next generation beside
 * the old one; when all of it is ready it accepts, and the old one drains. Until then nothing has changed,
 * so a configuration that does not work is simply given up. */
#include "process/supervisor.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "process/child.h"
#include "process/generation.h"
#include "process/prepare.h"

enum {
	SHORT_LIFE_US = 1000000,
	RETRY_FIRST_MS = 50,
	RETRY_MAX_MS = 2000,
	RELOAD_TIMEOUT_MS = 10000,
	KILL_GRACE_MS = 5000,
};

struct supervisor {
	struct loop loop;
	const char *config_file;
	struct metrics *metrics;
	int metrics_fd;
	struct generation *current;
	struct generation *next; /* being started by a reload */
	unsigned generations;    /* made so far */
	struct list children;
	uv_signal_t signals[4];
	uv_timer_t reload_timer, kill_timer;
	bool is_stopping, has_announced;
	int status;
};

static void start_child(struct child *c);
static void end_reload(struct supervisor *s, const char *why);

/* Children by what they are */

static struct child *
find_child(struct supervisor *s, enum role role)
{
	for (struct list *node = s->children.next; node != &s->children; node = node->next) {
		struct child *c = container_of(node, struct child, node);
		if (c->role == role)
			return c;
	}
	return NULL;
}

/* Workers of a generation in a state; any generation when NULL. */
static unsigned
count_workers(const struct supervisor *s, const struct generation *g, enum child_state state)
{
	unsigned count = 0;

	for (const struct list *node = s->children.next; node != &s->children; node = node->next) {
		const struct child *c = container_of(node, const struct child, node);
		count += c->role == ROLE_WORKER && c->state == state && (g == NULL || c->generation == g->number);
	}
	return count;
}

static bool
is_slot_used(const struct supervisor *s, unsigned slot)
{
	for (const struct list *node = s->children.next; node != &s->children; node = node->next) {
		const struct child *c = container_of(node, const struct child, node);
		if (c->role == ROLE_WORKER && c->slot == slot)
			return true;
	}
	return false;
}

/* Introductions: a worker and keeper (or ledger) get the two ends of a new channel */

static void
introduce(struct child *worker, struct child *other)
{
	int pair[2];

	if (other == NULL || worker->control == NULL || other->control == NULL)
		return;
	struct err e = channel_pair(pair);
	if (!failed(e)) {
		e = channel_send_fd(other->control, CONTROL_WORKER, worker->slot, (struct bytes){ 0 }, pair[0]);
		if (!failed(e))
			e = channel_send_fd(worker->control, other->role == ROLE_KEEPER ? CONTROL_KEEPER : CONTROL_LEDGER, 0,
			                    (struct bytes){ 0 }, pair[1]);
		close(pair[0]);
		close(pair[1]);
	}
	if (failed(e))
		log_err(LOG_ERROR, "two processes could not be connected", e);
}

static void
introduce_all(struct supervisor *s, struct child *c)
{
	if (c->role == ROLE_WORKER) {
		introduce(c, find_child(s, ROLE_KEEPER));
		introduce(c, find_child(s, ROLE_LEDGER));
		return;
	}
	for (struct list *node = s->children.next; node != &s->children; node = node->next) {
		struct child *worker = container_of(node, struct child, node);
		if (worker->role == ROLE_WORKER && worker->state != CHILD_ENDED)
			introduce(worker, c);
	}
}

/* Readiness */

static void
announce(struct supervisor *s)
{
	CLEANUP(buf_done) struct buf url = { 0 };

	s->has_announced = true;
	buf_printf(&url, "%s", s->current->settings->public_url);
	LOG(LOG_INFO, "ready", { "url", buf_bytes(&url) });
	notify_systemd("READY=1");
}

static void
tell(struct child *c, enum control_message type, uint64_t id)
{
	if (c->control == NULL)
		return;
	struct err e = channel_send(c->control, (uint16_t)type, id, (struct bytes){ 0 });
	if (failed(e))
		log_err(LOG_ERROR, "a process takes no messages", e);
}

static void
drain_generation(struct supervisor *s, unsigned number)
{
	for (struct list *node = s->children.next; node != &s->children; node = node->next) {
		struct child *c = container_of(node, struct child, node);
		if (c->role != ROLE_WORKER || c->generation != number)
			continue;
		tell(c, CONTROL_DRAIN, !s->is_stopping);
		if (c->state != CHILD_ENDED)
			c->state = CHILD_DRAINING;
	}
}

static void
accept_generation(struct supervisor *s, unsigned number)
{
	for (struct list *node = s->children.next; node != &s->children; node = node->next) {
		struct child *c = container_of(node, struct child, node);
		if (c->role == ROLE_WORKER && c->generation == number)
			tell(c, CONTROL_ACCEPT, 0);
	}
}

/* All of the new generation stand ready: from here on it serves. */
static void
finish_reload(struct supervisor *s)
{
	struct generation *old = s->current;
	struct child *keeper = find_child(s, ROLE_KEEPER);

	s->current = s->next;
	s->next = NULL;
	(void)uv_timer_stop(&s->reload_timer); /* never fails */
	accept_generation(s, s->current->number);
	drain_generation(s, old->number);
	if (keeper != NULL && keeper->control != NULL) {
		struct err e = channel_send_fd(keeper->control, CONTROL_CONFIG, 0, (struct bytes){ 0 }, s->current->config);
		if (failed(e))
			log_err(LOG_ERROR, "keeper did not get the new configuration", e);
	}
	counter_set(&s->metrics->generation, s->current->number);
	counter_add(&s->metrics->reloads, 1);
	LOG(LOG_INFO, "the new configuration is in use");
	notify_systemd("READY=1");
	generation_free(old);
}

static void
on_ready(struct child *c)
{
	struct supervisor *s = c->supervisor;

	if (c->state == CHILD_STARTING)
		c->state = CHILD_READY;
	if (c->role != ROLE_WORKER)
		return;
	if (s->next != NULL && c->generation == s->next->number) {
		if (count_workers(s, s->next, CHILD_READY) == s->next->settings->workers)
			finish_reload(s);
		return;
	}
	tell(c, CONTROL_ACCEPT, 0);
	if (!s->has_announced && count_workers(s, s->current, CHILD_READY) == s->current->settings->workers)
		announce(s);
}

/* An idle connection of a draining worker goes on in one of the present generation, each in its turn. */
static void
pass_on(struct supervisor *s, int fd)
{
	for (struct list *node = s->children.next; node != &s->children; node = node->next) {
		struct child *c = container_of(node, struct child, node);

		if (c->role != ROLE_WORKER || c->state != CHILD_READY || c->generation != s->current->number ||
		    c->control == NULL)
			continue;
		/* A connection that cannot be passed on is closed. */
		(void)channel_send_fd(c->control, CONTROL_ADOPT, 0, (struct bytes){ 0 }, fd);
		list_remove(&c->node);
		list_append(&s->children, &c->node);
		return;
	}
}

static void
on_control(void *of, struct channel *channel, const struct message *m)
{
	(void)channel;
	if (m->type == CONTROL_READY)
		on_ready(of);
	if (m->type == CONTROL_ADOPT && m->fd >= 0)
		pass_on(((struct child *)of)->supervisor, m->fd);
	if (m->fd >= 0)
		close(m->fd);
}

static void
on_control_closed(void *of, struct channel *channel)
{
	struct child *c = of;

	(void)channel;
	c->control = NULL; /* its end follows by SIGCHLD */
}

/* Starting */

static void
on_retry(uv_timer_t *timer)
{
	start_child(container_of(timer, struct child, retry));
}

static struct child *
add_child(struct supervisor *s, enum role role, const struct generation *g, unsigned index)
{
	struct child *c = calloc(1, sizeof *c);

	if (c == NULL)
		return NULL;
	c->supervisor = s;
	c->role = role;
	c->generation = g->number;
	c->index = index;
	c->state = CHILD_ENDED;
	while (role == ROLE_WORKER && is_slot_used(s, c->slot))
		c->slot++;
	if (uv_timer_init(&s->loop.uv, &c->retry) != 0) {
		free(c);
		return NULL;
	}
	list_append(&s->children, &c->node);
	if (role == ROLE_WORKER && c->slot + 1 > counter_get(&s->metrics->worker_count))
		counter_set(&s->metrics->worker_count, c->slot + 1);
	return c;
}

static void
retry_later(struct child *c)
{
	unsigned wait_ms = RETRY_FIRST_MS;

	for (unsigned i = 1; i < c->failures && wait_ms < RETRY_MAX_MS; i++)
		wait_ms *= 2;
	/* Never fails on a live handle. The first time in a while: at once. */
	(void)uv_timer_start(&c->retry, on_retry, c->failures == 0 ? 0 : wait_ms, 0);
}

static void
start_child(struct child *c)
{
	struct supervisor *s = c->supervisor;
	const struct generation *g = s->next != NULL && c->generation == s->next->number ? s->next : s->current;
	bool is_worker = c->role == ROLE_WORKER;
	const struct child_descriptors fds = { .config = g->config, .metrics = s->metrics_fd,
		                               .http = is_worker ? g->http[c->index] : -1,
		                               .admin = is_worker ? g->admin : -1 };
	int control = -1;
	struct err e = child_spawn(c, &fds, s->config_file, &control);

	c->started_us = clock_monotonic_us();
	if (!failed(e)) {
		c->state = CHILD_STARTING;
		e = channel_open(&s->loop, control, on_control, on_control_closed, c, &c->control);
		if (failed(e))
			close(control); /* the child sees it closed, and ends */
	}
	if (failed(e)) {
		log_err(LOG_ERROR, "a process cannot be started", e);
		if (c->state == CHILD_ENDED) {
			c->failures++;
			retry_later(c);
		}
		return;
	}
	introduce_all(s, c);
}

static struct err
start_workers(struct supervisor *s, const struct generation *g)
{
	for (unsigned i = 0; i < g->settings->workers; i++) {
		struct child *c = add_child(s, ROLE_WORKER, g, i);
		if (c == NULL)
			return fail(ERR_SYSTEM, "out of memory");
		start_child(c);
	}
	return OK;
}

/* Ending */

static void
on_retry_closed(uv_handle_t *handle)
{
	free(container_of((uv_timer_t *)handle, struct child, retry));
}

static void
free_child(struct child *c)
{
	list_remove(&c->node);
	channel_close(c->control);
	c->control = NULL;
	uv_close((uv_handle_t *)&c->retry, on_retry_closed);
}

/* Workers first, so that their last records find the ledger; then keeper and ledger; then we. */
static void
stop_step(struct supervisor *s)
{
	bool has_workers = false;

	for (struct list *node = s->children.next; node != &s->children; node = node->next)
		has_workers |= container_of(node, struct child, node)->role == ROLE_WORKER;
	if (has_workers)
		return;
	if (list_is_empty(&s->children)) {
		loop_stop(&s->loop);
		return;
	}
	for (struct list *node = s->children.next; node != &s->children; node = node->next) {
		struct child *c = container_of(node, struct child, node);
		if (c->state != CHILD_DRAINING)
			tell(c, CONTROL_STOP, 0);
		c->state = CHILD_DRAINING;
	}
}

static void
kill_all(struct supervisor *s)
{
	for (struct list *node = s->children.next; node != &s->children; node = node->next) {
		struct child *c = container_of(node, struct child, node);
		if (c->pid > 0 && c->state != CHILD_ENDED)
			(void)kill(c->pid, SIGKILL); /* gone already: reaped next */
	}
}

static void
on_kill_timer(uv_timer_t *timer)
{
	struct supervisor *s = container_of(timer, struct supervisor, kill_timer);

	LOG(LOG_WARN, "processes did not end in time and are killed");
	kill_all(s);
}

static void
stop(struct supervisor *s, int status)
{
	struct list *next;

	if (s->is_stopping) {
		kill_all(s); /* asked twice */
		return;
	}
	s->is_stopping = true;
	s->status = status;
	notify_systemd("STOPPING=1");
	end_reload(s, "the service is stopping");
	drain_generation(s, s->current->number);
	for (struct list *node = s->children.next; node != &s->children; node = next) {
		struct child *c = container_of(node, struct child, node);
		next = node->next;
		if (c->state == CHILD_ENDED)
			free_child(c);
	}
	/* Never fails on a live handle. */
	(void)uv_timer_start(&s->kill_timer, on_kill_timer, s->current->settings->limits.drain_timeout_ms + KILL_GRACE_MS, 0);
	stop_step(s);
}

/* A process has ended, wanted or not. */
static void
child_ended(struct child *c, int wait_status)
{
	struct supervisor *s = c->supervisor;
	bool was_wanted = c->state == CHILD_DRAINING;
	bool cannot_run = WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 2;
	bool is_next = s->next != NULL && c->role == ROLE_WORKER && c->generation == s->next->number;

	c->failures = clock_monotonic_us() - c->started_us < SHORT_LIFE_US ? c->failures + 1 : 0;
	c->state = CHILD_ENDED;
	c->pid = 0;
	channel_close(c->control);
	c->control = NULL;
	if (was_wanted || s->is_stopping) {
		free_child(c);
		if (s->is_stopping)
			stop_step(s);
		return;
	}
	if (is_next) {
		free_child(c);
		end_reload(s, "a worker could not start with it");
		return;
	}
	if (!s->has_announced && cannot_run) {
		free_child(c);
		stop(s, 2);
		return;
	}
	LOG(LOG_ERROR, "a process ended and is started again", { "process", bytes_text(role_name(c->role)) },
	    { "how", bytes_text(WIFSIGNALED(wait_status) ? strsignal(WTERMSIG(wait_status)) : "exit") });
	counter_add(&s->metrics->restarts[c->role], 1);
	retry_later(c);
}

static void
reap(struct supervisor *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (struct list *node = s->children.next; node != &s->children; node = node->next) {
			struct child *c = container_of(node, struct child, node);
			if (c->pid != pid)
				continue;
			child_ended(c, status);
			break;
		}
	}
}

/* Reloading */

static void
end_reload(struct supervisor *s, const char *why)
{
	struct generation *g = s->next;

	if (g == NULL)
		return;
	s->next = NULL;
	(void)uv_timer_stop(&s->reload_timer); /* never fails */
	for (struct list *node = s->children.next; node != &s->children; node = node->next) {
		struct child *c = container_of(node, struct child, node);
		if (c->role != ROLE_WORKER || c->generation != g->number || c->pid <= 0)
			continue;
		c->state = CHILD_DRAINING;
		(void)kill(c->pid, SIGKILL); /* it serves nobody yet */
	}
	generation_free(g);
	counter_add(&s->metrics->reloads_failed, 1);
	LOG(LOG_ERROR, "the new configuration is not used", { "why", bytes_text(why) });
	notify_systemd("READY=1");
}

static void
on_reload_timer(uv_timer_t *timer)
{
	end_reload(container_of(timer, struct supervisor, reload_timer), "its workers were not ready in time");
}

static void
reload(struct supervisor *s)
{
	if (s->is_stopping || !s->has_announced)
		return;
	end_reload(s, "a newer one came before it was ready");
	notify_systemd("RELOADING=1");
	struct err e = generation_open(s->config_file, ++s->generations, s->current, &s->next);
	if (failed(e)) {
		s->next = NULL;
		counter_add(&s->metrics->reloads_failed, 1);
		LOG(LOG_ERROR, "the new configuration is not used", { "why", bytes_text(e.why) });
		notify_systemd("READY=1");
		return;
	}
	/* Never fails on a live handle. */
	(void)uv_timer_start(&s->reload_timer, on_reload_timer, RELOAD_TIMEOUT_MS, 0);
	e = start_workers(s, s->next);
	if (failed(e))
		end_reload(s, e.why);
}

/* The beginning */

static void
on_signal(uv_signal_t *signal, int number)
{
	struct supervisor *s = signal->data;

	if (number == SIGCHLD)
		reap(s);
	else if (number == SIGHUP)
		reload(s);
	else
		stop(s, 0);
}

static struct err
watch_signals(struct supervisor *s)
{
	static const int numbers[] = { SIGCHLD, SIGHUP, SIGTERM, SIGINT };

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		int status = uv_signal_init(&s->loop.uv, &s->signals[i]);
		s->signals[i].data = s;
		if (status == 0)
			status = uv_signal_start(&s->signals[i], on_signal, numbers[i]);
		if (status != 0)
			return loop_err(status, "signals cannot be watched");
	}
	return OK;
}

static struct err
start(struct supervisor *s)
{
	TRY(generation_open(s->config_file, ++s->generations, NULL, &s->current));
	TRY(prepare_folder(s->current->settings->state_path));
	TRY(prepare_folder(s->current->settings->audit.path));
	prepare_descriptors(s->current->settings);
	TRY(prepare_metrics(&s->metrics_fd, &s->metrics));
	TRY(loop_init(&s->loop));
	TRY(watch_signals(s));
	int status = uv_timer_init(&s->loop.uv, &s->reload_timer);
	if (status == 0)
		status = uv_timer_init(&s->loop.uv, &s->kill_timer);
	if (status != 0)
		return loop_err(status, "no timer");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return fail(ERR_SYSTEM, "no_new_privs cannot be set");

	struct child *ledger = add_child(s, ROLE_LEDGER, s->current, 0);
	struct child *keeper = add_child(s, ROLE_KEEPER, s->current, 0);
	if (ledger == NULL || keeper == NULL)
		return fail(ERR_SYSTEM, "out of memory");
	start_child(ledger);
	start_child(keeper);
	return start_workers(s, s->current);
}

int
supervisor_run(const char *config_file)
{
	struct supervisor *s = calloc(1, sizeof *s);

	if (s == NULL)
		return 2;
	s->config_file = config_file;
	list_init(&s->children);
	log_init("supervisor", LOG_INFO);
	struct err e = start(s);
	if (failed(e)) {
		log_err(LOG_ERROR, "the service cannot start", e);
		kill_all(s);
		return 2;
	}
	loop_run(&s->loop);
	return s->status; /* the process ends with it: nothing is left to free */
}
