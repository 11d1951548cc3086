#include "front/http/plan.h"

#include <math.h>
#include <string.h>

#include "daemon/hub.h"
#include "daemon/shutdown.h"
#include "front/http/api.h"
#include "util/util.h"
#include <ups2000/error.h>

/* Seconds until a moment, or null if it is not in sight. */
static json_t *until(int64_t at_us, int64_t now_us)
{
	if (at_us == INT64_MAX)
		return json_null();
	return json_real(round((double)(at_us > now_us ? at_us - now_us : 0) / 1e5) / 10);
}

static json_t *since(int64_t at_us, int64_t now_us)
{
	if (!at_us)
		return json_null();
	return json_real(round((double)(now_us - at_us) / 1e5) / 10);
}

static json_t *text(const char *s)
{
	json_t *value = s && *s ? json_string(s) : json_null();

	return value ? value : json_string("?"); /* not UTF-8 */
}

/* A limit or a value: whole where it is whole. */
static json_t *number(double value)
{
	return json_real(round(value * 10) / 10);
}

static const char *end_word(enum policy_end end)
{
	switch (end) {
	case POLICY_END_RETURN:
		return "return";
	case POLICY_END_STAYOFF:
		return "stayoff";
	case POLICY_END_NOTHING:
		break;
	}
	return "no";
}

static json_t *conditions(const struct policy_ups_view *view, int64_t now_us)
{
	json_t *list = json_array();

	for (int c = 0; c < POLICY_CONDITIONS; c++) {
		const struct policy_condition_view *when = &view->when[c];

		if (!when->used)
			continue;
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:b, s:o, s:o, s:o}", "name",
					policy_condition_name((enum policy_condition)c), "unit",
					policy_condition_unit((enum policy_condition)c), "holds",
					when->holds, "now",
					when->has_now ? number(when->now) : json_null(), "limit",
					when->limit > 0 ? number(when->limit) : json_null(),
					"due_in_s", until(when->due_us, now_us)));
	}
	return list;
}

static json_t *ups_json(const struct shutdown *shutdown, unsigned i, int64_t now_us)
{
	const struct policy_ups_config *config = &shutdown_config(shutdown)->ups[i];
	struct policy_ups_view view;

	policy_look_ups(shutdown_policy(shutdown), i, &view, now_us);
	return json_pack("{s:s, s:i, s:s, s:b, s:b, s:o, s:b, s:b, s:b, s:i, s:o}", "name",
			 config->name, "supplies", (int)config->supplies, "ups_off",
			 end_word(config->end), "known", view.known, "on_battery", view.on_battery,
			 "on_battery_s", since(view.on_battery_us, now_us), "failed", view.failed,
			 "doomed", view.doomed, "fsd", view.fsd, "logins", (int)view.logins,
			 "conditions", conditions(&view, now_us));
}

static json_t *next_json(const struct policy_view *view, int64_t now_us)
{
	if (!view->has_next)
		return json_null();
	return json_pack("{s:s, s:o, s:o}", "state", policy_state_name(view->next), "text",
			 text(view->next_text), "in_s", until(view->next_us, now_us));
}

static json_t *stages(const struct policy_config *config)
{
	json_t *list = json_array();

	for (size_t i = 0; i < config->n_stages; i++) {
		json_t *tasks = json_array();

		for (size_t c = 0; c < config->stages[i].n_commands; c++)
			json_array_append_new(
				tasks, json_pack("{s:s, s:i}", "name",
						 config->stages[i].commands[c].name, "timeout_s",
						 (int)config->stages[i].commands[c].timeout_s));
		json_array_append_new(list, json_pack("{s:o}", "tasks", tasks));
	}
	return list;
}

json_t *plan_json(const struct hub *hub, int64_t now_us)
{
	const struct shutdown *shutdown = hub_shutdown(hub);
	const struct policy_config *config;
	struct policy_view view;
	json_t *ups = json_array();

	if (!shutdown)
		return json_pack("{s:b, s:s, s:s, s:o}", "enabled", 0, "state", "normal", "text",
				 policy_state_text(POLICY_NORMAL), "ups", ups);
	config = shutdown_config(shutdown);
	policy_look(shutdown_policy(shutdown), &view, now_us);
	for (unsigned i = 0; i < config->n_ups; i++)
		json_array_append_new(ups, ups_json(shutdown, i, now_us));
	return json_pack("{s:b, s:s, s:s, s:o, s:o, s:o, s:{s:i, s:i, s:i}, s:o, s:o, s:b, s:o, "
			 "s:i, s:b, s:o}",
			 "enabled", config->enabled, "state", policy_state_name(view.state), "text",
			 policy_state_text(view.state), "since_s", since(view.since_us, now_us),
			 "sequence", text(view.sequence), "cause", text(view.cause), "supplies",
			 "all", (int)view.supplies, "left", (int)view.supplies_left, "minimum",
			 (int)view.minimum_supplies, "next", next_json(&view, now_us),
			 "host_down_in_s", until(view.host_down_us, now_us), "this_host",
			 config->host == POLICY_HOST_SHUTDOWN, "stages", stages(config), "waking",
			 (int)view.waking, "unsaved", view.unsaved, "ups", ups);
}

json_t *plan_ups_json(const struct hub_ups *ups, int64_t now_us)
{
	const struct shutdown *shutdown = hub_shutdown(ups->hub);
	const struct policy_config *config;
	struct policy_ups_view of;
	struct policy_view view;

	if (!shutdown)
		return json_null();
	config = shutdown_config(shutdown);
	for (unsigned i = 0; i < config->n_ups && config->enabled; i++) {
		if (strcmp(config->ups[i].name, ups->name) != 0)
			continue;
		policy_look(shutdown_policy(shutdown), &view, now_us);
		policy_look_ups(shutdown_policy(shutdown), i, &of, now_us);
		return json_pack("{s:s, s:s, s:o, s:i, s:b, s:b, s:o, s:o}", "state",
				 policy_state_name(view.state), "text",
				 policy_state_text(view.state), "cause", text(view.cause),
				 "supplies", (int)config->ups[i].supplies, "failed", of.failed,
				 "doomed", of.doomed, "next", next_json(&view, now_us),
				 "host_down_in_s", until(view.host_down_us, now_us));
	}
	return json_null();
}

json_t *plan_fsd_json(const struct hub *hub)
{
	json_t *list = json_array();

	for (size_t i = 0; i < hub_ups_count(hub); i++) {
		const struct hub_ups *ups = hub_ups_at(hub, i);

		json_array_append_new(list, json_pack("{s:s, s:b, s:o, s:o, s:i, s:i}", "name",
						      ups->name, "fsd", ups->fsd, "user",
						      text(ups->fsd ? ups->fsd_user : NULL), "from",
						      text(ups->fsd ? ups->fsd_from : NULL),
						      "logins", (int)ups->logins,
						      "logins_from_before", (int)ups->fsd_logins));
	}
	return json_pack("{s:o}", "ups", list);
}

/* --- orders ------------------------------------------------------------------------------------------ */

static void refuse(struct api_reply *reply, int rc, char *why)
{
	size_t len = strlen(why);

	if (len && why[len - 1] == '.')
		why[len - 1] = '\0';
	api_problem(reply, rc == U2K_EINVAL ? 422 : 409, NULL, "%s", why);
}

static void answer(struct hub *hub, struct api_reply *reply)
{
	reply->status = 200;
	reply->json = plan_json(hub, clock_us());
}

static bool have_plan(const struct hub *hub, struct api_reply *reply)
{
	if (hub_shutdown(hub))
		return true;
	api_problem(reply, 409, NULL, "this process shuts no host down");
	return false;
}

static const char *member(const json_t *body, const char *key)
{
	return json_string_value(json_object_get(body, key));
}

void plan_post_shutdown(struct hub *hub, const struct api_request *request, struct api_reply *reply)
{
	static const char *const members[] = { "action", "reason", NULL };
	json_t *body = api_read_body(request, reply, members);
	const char *action = member(body, "action");
	struct policy_who who = { request->user, request->from, member(body, "reason") };
	char why[POLICY_TEXT_MAX] = "";
	int rc = 0;

	if (!body)
		return;
	if (!action || (strcmp(action, "begin") != 0 && strcmp(action, "cancel") != 0))
		api_problem(reply, 422, "action", "must be \"begin\" or \"cancel\"");
	else if (have_plan(hub, reply)) {
		rc = *action == 'b' ? shutdown_begin(hub_shutdown(hub), &who, why)
				    : shutdown_cancel(hub_shutdown(hub), &who, why);
		if (rc == 0)
			answer(hub, reply);
		else
			refuse(reply, rc, why);
	}
	json_decref(body);
}

/* The UPS that is named, or the only one; NULL after a problem. */
static struct hub_ups *which(struct hub *hub, const char *name, struct api_reply *reply)
{
	struct hub_ups *ups = name ? hub_find(hub, name) : hub_ups_at(hub, 0);

	if (name && !ups)
		api_problem(reply, 404, "ups", "there is no UPS \"%.80s\"", name);
	else if (!name && hub_ups_count(hub) != 1)
		api_problem(reply, 422, "ups", "is missing: the name of the UPS");
	else
		return ups;
	return NULL;
}

void plan_post_fsd(struct hub *hub, const struct api_request *request, struct api_reply *reply)
{
	static const char *const members[] = { "action", "ups", "reason", NULL };
	json_t *body = api_read_body(request, reply, members);
	const char *action = member(body, "action"), *name = member(body, "ups");
	struct policy_who who = { request->user, request->from, member(body, "reason") };
	char why[POLICY_TEXT_MAX] = "";
	struct hub_ups *ups;
	int rc;

	if (!body)
		return;
	if (!action || (strcmp(action, "set") != 0 && strcmp(action, "clear") != 0)) {
		api_problem(reply, 422, "action", "must be \"set\" or \"clear\"");
	} else if (have_plan(hub, reply) && (ups = which(hub, name, reply))) {
		if (*action == 's') {
			hub_fsd_set(ups, request->user, request->from);
			answer(hub, reply);
		} else {
			rc = shutdown_fsd_clear(hub_shutdown(hub), ups->name, &who, why);
			if (rc == 0)
				answer(hub, reply);
			else
				refuse(reply, rc, why);
		}
	}
	json_decref(body);
}

/* --- the rehearsal -------------------------------------------------------------------------------- */

static void add_step(void *user, double at_s, const char *what)
{
	json_array_append_new(user,
			      json_pack("{s:o, s:o}", "at_s", json_real(round(at_s * 10) / 10),
					"text", text(what)));
}

static json_t *tried(const struct shutdown *shutdown)
{
	const char *task, *what;
	bool running, good;

	if (!shutdown_tried(shutdown, &task, &running, &good, &what))
		return json_null();
	return json_pack("{s:s, s:s, s:o}", "task", task, "state",
			 running ? "running"
			 : good	 ? "ended"
				 : "failed",
			 "text", running ? json_null() : text(what));
}

static void answer_drill(struct hub *hub, struct api_reply *reply)
{
	json_t *steps = json_array();

	if (shutdown_drill(hub_shutdown(hub), add_step, steps)) {
		reply->status = 200;
		reply->json =
			json_pack("{s:o, s:o}", "steps", steps, "task", tried(hub_shutdown(hub)));
		return;
	}
	json_decref(steps);
	api_problem(reply, 409, NULL, "the configuration has no section \"shutdown\"");
}

void plan_drill(struct hub *hub, const struct api_request *request, bool post,
		struct api_reply *reply)
{
	static const char *const members[] = { "task", NULL };
	char why[POLICY_TEXT_MAX] = "";
	const char *task;
	json_t *body;
	int rc;

	if (!have_plan(hub, reply))
		return;
	if (!post) {
		answer_drill(hub, reply);
		return;
	}
	body = api_read_body(request, reply, members);
	if (!body)
		return;
	task = member(body, "task");
	rc = shutdown_try_task(hub_shutdown(hub), task ? task : "", why);
	if (rc)
		refuse(reply, rc, why);
	else
		answer_drill(hub, reply);
	json_decref(body);
}
