#pragma once

/*
 * Errors of the library: negative numbers. Modbus exception codes are positive (1..255) and stay
 * apart; 0 is success.
 */
#define U2K_ERRORS(X)                                                                              \
	X(EINVAL, -1, "invalid argument")                                                          \
	X(EBUSY, -2, "busy")                                                                       \
	X(ETIMEOUT, -3, "no response from the device")                                             \
	X(EPROTO, -4, "malformed response")                                                        \
	X(ECLOSED, -5, "link closed before the answer")                                            \
	X(ENOMEM, -6, "out of memory")                                                             \
	X(EAGAIN, -7, "more bytes needed")                                                         \
	X(EREFUSED, -8, "refused")                                                                 \
	X(ENOTSUP, -9, "not supported")

enum u2k_error {
#define X(name, value, text) U2K_##name = (value),
	U2K_ERRORS(X)
#undef X
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Text of an error or of a Modbus exception code.
 *
 * @status  0, a U2K_E* value, or an exception code 1..255 (Huawei's meanings, where 05 is "busy")
 *
 * Returns a static English text without a full stop; never NULL.
 */
const char *u2k_strerror(int status);

#ifdef __cplusplus
}
#endif
