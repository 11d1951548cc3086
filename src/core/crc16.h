#pragma once

#include <stddef.h>
#include <stdint.h>

/**
 * Modbus CRC-16: start 0xFFFF, reflected polynomial 0xA001. On the wire the low byte comes first.
 *
 * Source: MODBUS over Serial Line V1.02, 6.2.2.
 */
uint16_t crc16(const uint8_t *data, size_t len);
