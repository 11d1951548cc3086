#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/devid.h"
#include <ups2000/ups.h>

/**
 * Take the objects of one identification reply.
 *
 * @number    UPS number 1..4: its description is object 0x87 + number
 * @identity  fields are set as their objects come; described once a description string with a model
 *            was parsed. Text is cut to printable ASCII.
 */
void identity_take(struct u2k_identity *identity, const struct devid_reply *reply, unsigned number);

/**
 * Parse one description string: key=value items separated by ';'. Unknown keys, empty values and
 * missing keys are accepted; the first of a repeated key counts, and so does the first description
 * with a model.
 */
void identity_describe(struct u2k_identity *identity, const uint8_t *text, size_t len);

/** Whether this identity may be commanded: U2K_GATE_OPEN, NOT_IDENTIFIED, NO_DESCRIPTION, MODEL, PROTOCOL. */
enum u2k_gate identity_gate(const struct u2k_identity *identity);
