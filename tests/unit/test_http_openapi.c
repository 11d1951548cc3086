/* The OpenAPI document against the code: every resource is in it, and nothing else. */
#include "front/http/asset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "front/http/internal.h"
#include "util/util.h"

/* What exchange.c serves besides the tables. */
static const char DOCUMENT[] = "/api/v1/openapi.json";

static json_t *load(void)
{
	const struct asset *asset = asset_find(DOCUMENT);
	json_t *doc;

	assert_non_null(asset);
	assert_string_equal(asset->type, "application/json");
	doc = json_loadb((const char *)asset->plain, asset->plain_len, JSON_REJECT_DUPLICATES,
			 NULL);
	assert_non_null(doc);
	return doc;
}

/* Exactly these methods. */
static void expect(json_t *paths, const char *path, bool post, bool delete)
{
	json_t *item = json_object_get(paths, path);

	if (!item)
		fail_msg("openapi.json does not have %s: add it (and its answer's schema)", path);
	assert_non_null(json_object_get(item, "get"));
	if (post != !!json_object_get(item, "post"))
		fail_msg("openapi.json is wrong about POST %s", path);
	assert_int_equal(delete, !!json_object_get(item, "delete"));
}

static void test_every_resource_is_in_the_document(void **state)
{
	json_t *doc = load(), *paths = json_object_get(doc, "paths");
	size_t known = 0;
	char path[128];
	bool post;

	(void)state;
	for (size_t i = 0; api_resource(i, path, sizeof(path), &post); i++, known++)
		expect(paths, path, post, false);
	for (size_t i = 0; scrape_at(i); i++, known++)
		expect(paths, scrape_at(i)->path, false, false);
	expect(paths, SESSION_TARGET, true, true);
	expect(paths, DOCUMENT, false, false);
	known += 2;
	assert_int_equal(json_object_size(paths), known);
	json_decref(doc);
}

/* Every $ref leads somewhere, and every schema is used. */
static void collect(json_t *node, json_t *doc, json_t *used)
{
	static const char prefix[] = "#/components/schemas/";
	const char *key;
	json_t *value;
	size_t i;

	json_array_foreach(node, i, value) collect(value, doc, used);
	json_object_foreach(node, key, value)
	{
		const char *to = json_string_value(value);

		if (strcmp(key, "$ref") != 0) {
			collect(value, doc, used);
			continue;
		}
		assert_int_equal(strncmp(to, prefix, strlen(prefix)), 0);
		to += strlen(prefix);
		if (!json_object_get(json_object_get(json_object_get(doc, "components"), "schemas"),
				     to))
			fail_msg("there is no schema %s", to);
		json_object_set_new(used, to, json_true());
	}
}

static void test_references_lead_somewhere(void **state)
{
	json_t *doc = load(), *used = json_object();
	json_t *schemas = json_object_get(json_object_get(doc, "components"), "schemas");
	const char *name;
	json_t *schema;

	(void)state;
	collect(doc, doc, used);
	json_object_foreach(schemas, name, schema)
	{
		if (!json_object_get(used, name))
			fail_msg("nothing uses the schema %s", name);
	}
	json_decref(used);
	json_decref(doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_resource_is_in_the_document),
		cmocka_unit_test(test_references_lead_somewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
