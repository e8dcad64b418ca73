/* supervisor.c - see supervisor.h.
 *
 * Children: one keeper, one ledger, one fetcher where the configuration needs it, and a generation
 * of workers. A reload starts the next
 * generation beside the old one; when all of it is ready it accepts, and the old one drains. Until
 * then nothing has changed, so a configuration that does not work is simply given up. */
#include "process/supervisor.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "frontend/quota.h"
#include "process/prepare.h"
#include "process/reload.h"
#include "process/renewal.h"
#include "process/watchdog.h"

enum { SHORT_LIFE_US = 1000000 };

/* What children say */

static void
announce(struct supervisor *s)
{
	CLEANUP(buf_done) struct buf url = { 0 };

	s->has_announced = true;
	buf_printf(&url, "%s", s->current->settings->public_url);
	LOG(LOG_INFO, "ready", { "url", buf_bytes(&url) });
	notify_systemd("READY=1");
	if (s->is_reload_wanted)
		reload(s);
}

static void
on_ready(struct child *c)
{
	struct supervisor *s = c->supervisor;

	/* A second time means nothing, and one that drains must not accept again. */
	if (c->state != CHILD_STARTING)
		return;
	c->state = CHILD_READY;
	if (c->role != ROLE_WORKER)
		return;
	if (s->next != NULL && c->generation == s->next->number) {
		if (count_workers(s, s->next, CHILD_READY) == s->next->settings->workers)
			finish_reload(s);
		return;
	}
	tell(c, CONTROL_ACCEPT, 0);
	if (!s->has_announced &&
	    count_workers(s, s->current, CHILD_READY) == s->current->settings->workers)
		announce(s);
}

static bool
is_tcp(int fd)
{
	int protocol = 0;
	socklen_t len = sizeof protocol;

	return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == 0 &&
	       protocol == IPPROTO_TCP;
}

/* An idle connection of a draining worker goes on in one of the present generation, each in its
 * turn. */
static void
pass_on(struct supervisor *s, uint64_t id, int fd)
{
	for (struct list *node = s->children.next; node != &s->children; node = node->next) {
		struct child *c = container_of(node, struct child, node);

		if (c->role != ROLE_WORKER || c->state != CHILD_READY ||
		    c->generation != s->current->number || c->control == NULL)
			continue;
		/* A connection that cannot be passed on is closed. */
		(void)channel_send_fd(c->control, CONTROL_ADOPT, id, (struct bytes){ 0 }, fd);
		list_remove(&c->node);
		list_append(&s->children, &c->node);
		return;
	}
}

void
on_control(void *of, struct channel *channel, const struct message *m)
{
	(void)channel;
	const struct child *c = of;

	if (m->type == CONTROL_READY)
		on_ready(of);
	if (m->type == CONTROL_PONG)
		watchdog_heard(of);
	/* Only one that drains has connections to give: one that was taken over must not flood the
	 * others. */
	if (m->type == CONTROL_ADOPT && c->state == CHILD_DRAINING && is_tcp(m->fd))
		pass_on(c->supervisor, m->id, m->fd);
	if (m->fd >= 0)
		close(m->fd);
}

/* Ending */

/* Who ends when: nobody before those that still ask it. The last records find the ledger. */
static const unsigned stop_turn[ROLE_COUNT] = {
	[ROLE_WORKER] = 0,
	[ROLE_KEEPER] = 1,
	[ROLE_FETCHER] = 1,
	[ROLE_LEDGER] = 2,
};

/* Tells those whose turn it is; after the last of them, we end. */
static void
stop_step(struct supervisor *s)
{
	unsigned turn = ROLE_COUNT;

	for (struct list *node = s->children.next; node != &s->children; node = node->next) {
		unsigned of = stop_turn[container_of(node, struct child, node)->role];
		turn = of < turn ? of : turn;
	}
	if (turn == ROLE_COUNT) {
		loop_stop(&s->loop);
		return;
	}
	for (struct list *node = s->children.next; node != &s->children; node = node->next) {
		struct child *c = container_of(node, struct child, node);
		if (stop_turn[c->role] == turn && c->state != CHILD_DRAINING)
			drain_child(c, s->current, false);
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
	end_reload(s, "the service is stopping");
	notify_systemd("STOPPING=1"); /* the last word: giving up a reload says READY=1 */
	drain_generation(s, s->current);
	for (struct list *node = s->children.next; node != &s->children; node = next) {
		struct child *c = container_of(node, struct child, node);
		next = node->next;
		if (c->state == CHILD_ENDED)
			free_child(c);
	}
	/* Never fails on a live handle. */
	(void)uv_timer_start(&s->kill_timer, on_kill_timer,
	                     s->current->settings->limits.drain_timeout_ms + KILL_GRACE_MS, 0);
	stop_step(s);
}

/* A process has ended, wanted or not. */
static void
child_ended(struct child *c, int wait_status)
{
	struct supervisor *s = c->supervisor;
	bool was_wanted = c->state == CHILD_DRAINING;
	bool cannot_run = WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 2;
	bool is_next =
		s->next != NULL && c->role == ROLE_WORKER && c->generation == s->next->number;

	c->failures = clock_monotonic_us() - c->started_us < SHORT_LIFE_US ? c->failures + 1 : 0;
	c->state = CHILD_ENDED;
	c->pid = 0;
	channel_close(c->control);
	c->control = NULL;
	if (c->role == ROLE_WORKER) {
		metrics_worker_ended(&s->metrics->workers[c->slot]);
		quota_worker_ended(s->metrics, c->slot);
	}
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
	LOG(LOG_ERROR, "a process ended and is started again",
	    { "process", bytes_text(role_name(c->role)) },
	    { "how",
	      bytes_text(WIFSIGNALED(wait_status) ? strsignal(WTERMSIG(wait_status)) : "exit") });
	counter_add(&s->metrics->restarts[c->role], 1);
	retry_later(c);
}

static void
reap(struct supervisor *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (struct list *node = s->children.next; node != &s->children;
		     node = node->next) {
			struct child *c = container_of(node, struct child, node);
			if (c->pid != pid)
				continue;
			child_ended(c, status);
			break;
		}
	}
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
	TRY(prepare_inheritance());
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
	TRY(watchdog_start(s));
	TRY(renewal_start(s));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return fail(ERR_SYSTEM, "no_new_privs cannot be set");

	TRY(add_child(s, ROLE_LEDGER, s->current, 0));
	TRY(add_child(s, ROLE_KEEPER, s->current, 0));
	TRY(need_fetcher(s, s->current));
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
