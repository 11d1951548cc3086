#include <ups2000/error.h>

#include "core/pdu.h"

const char *u2k_strerror(int status)
{
	switch (status) {
	case 0:
		return "success";
#define X(name, value, text)                                                                       \
	case value:                                                                                \
		return text;
		U2K_ERRORS(X)
#undef X
	/* Huawei's meanings; 05 and 06 both mean "repeat later" there. */
	case EXC_ILLEGAL_FUNCTION:
		return "exception 01: invalid function code";
	case EXC_ILLEGAL_ADDRESS:
		return "exception 02: invalid parameter";
	case EXC_ILLEGAL_VALUE:
		return "exception 03: invalid data";
	case EXC_DEVICE_FAILURE:
		return "exception 04: execution failed";
	case EXC_BUSY_HUAWEI:
		return "exception 05: device busy";
	case EXC_BUSY:
		return "exception 06: device busy";
	case EXC_GATEWAY_PATH:
		return "exception 0A: gateway has no path to the device";
	case EXC_GATEWAY_TARGET:
		return "exception 0B: device does not answer the gateway";
	default:
		return status > 0 && status <= 255 ? "unknown exception code" : "unknown error";
	}
}
