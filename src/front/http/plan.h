#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>

struct api_reply;
struct api_request;
struct hub;
struct hub_ups;

/* The plan for hosts (daemon/shutdown.h) as JSON; docs/api.md is the contract. New references. */

/** GET /api/v1/policy. */
json_t *plan_json(const struct hub *hub, int64_t now_us);
/** The policy member of a snapshot: how it stands for this UPS; null if it is no part of it. */
json_t *plan_ups_json(const struct hub_ups *ups, int64_t now_us);

/** GET /api/v1/fsd. */
json_t *plan_fsd_json(const struct hub *hub);

/** POST /api/v1/shutdown and /api/v1/fsd. */
void plan_post_shutdown(struct hub *hub, const struct api_request *request,
			struct api_reply *reply);
void plan_post_fsd(struct hub *hub, const struct api_request *request, struct api_reply *reply);
/** GET and POST /api/v1/drill. */
void plan_drill(struct hub *hub, const struct api_request *request, bool post,
		struct api_reply *reply);
