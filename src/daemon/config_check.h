#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Is one value of the configuration good? Each returns true, or false with why = what is wrong and
 * what would be right, two sentences without the last full stop.
 */
typedef bool (*check_fn)(const char *value, char *why, size_t size);

bool check_text(const char *value, char *why, size_t size);	/* printable, not empty */
bool check_ups_name(const char *value, char *why, size_t size); /* also aliases */
bool check_user_name(const char *value, char *why, size_t size);
bool check_port(const char *value, char *why, size_t size);
bool check_listen(const char *value, char *why,
		  size_t size); /* "address:port", "[v6]:port", "*:port" */
bool check_http_listen(const char *value, char *why,
		       size_t size); /* likewise, or https:// before it */
bool check_host_name(const char *value, char *why, size_t size);
bool check_serial(const char *value, char *why, size_t size);
bool check_password(const char *value, char *why, size_t size);
bool check_action(const char *value, char *why, size_t size);
bool check_upsmon(const char *value, char *why, size_t size);
bool check_instcmd(const char *value, char *why, size_t size);
bool check_assignment(const char *value, char *why, size_t size); /* "variable=value" */
bool check_log_target(const char *value, char *why, size_t size);
bool check_log_level(const char *value, char *why, size_t size);
bool check_directory(const char *value, char *why, size_t size);
bool check_run_as(const char *value, char *why, size_t size); /* "user" or "user:group" */
bool check_baud(const char *value, char *why, size_t size);
bool check_bool(const char *value, char *why, size_t size);
bool check_network(const char *value, char *why, size_t size);
bool check_require_tls(const char *value, char *why, size_t size);
bool check_alarm(const char *value, char *why, size_t size); /* "66/2" or "66" */
bool check_ups_off(const char *value, char *why, size_t size);
bool check_on_fsd(const char *value, char *why, size_t size);
bool check_host_way(const char *value, char *why, size_t size);
bool check_mac(const char *value, char *why, size_t size);
bool check_secure_on(const char *value, char *why, size_t size);
bool check_address(const char *value, char *why, size_t size); /* a number, not a name */
bool check_seen(const char *value, char *why, size_t size);    /* "address:port", as a number */
bool check_number(const char *value, long min, long max, char *why, size_t size);

/* config_notify.c; what may be secret is not repeated in why */
bool check_notify_type(const char *value, char *why, size_t size);
bool check_severity(const char *value, char *why, size_t size);
bool check_event_kind(const char *value, char *why, size_t size);
bool check_command_word(const char *value, char *why, size_t size);
bool check_http_url(const char *value, char *why, size_t size);
bool check_smtp_url(const char *value, char *why, size_t size);
bool check_mail_address(const char *value, char *why, size_t size);
bool check_secret(const char *value, char *why, size_t size);
bool check_http_header(const char *value, char *why, size_t size);

/* The meaning of a value that its check accepted. */
bool value_bool(const char *value);
long value_number(const char *value);
unsigned value_action(const char *value); /* CONFIG_ACTION_* */
unsigned value_upsmon(const char *value);
int value_log_target(const char *value);
int value_log_level(const char *value);
int value_require_tls(const char *value);
uint32_t value_alarm(const char *value); /* bits of the alarm table */
int value_ups_off(const char *value);	 /* enum policy_end */
int value_on_fsd(const char *value);
int value_host_way(const char *value);
bool value_is_hash(const char *password);
