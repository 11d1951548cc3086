#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * What went over a line, as a text file that people can read and programs can play: a header of
 * "# key: value" comments, then a line per frame with the time in milliseconds, the direction (>
 * to the UPS, < from it) and the bytes in hexadecimal. docs/tester.md describes it.
 */
enum {
	CAPTURE_FRAME_MAX = 512, /* bytes on a line */
	CAPTURE_LINE_MAX = 2048, /* characters, without the line end */
	CAPTURE_FRAMES_MAX = 100000,
	CAPTURE_TEXT_MAX = 120,
};

enum capture_framing { CAPTURE_RTU, CAPTURE_MBAP };

struct capture_frame {
	int64_t at_us; /* since the first frame; never less than the one before */
	bool sent;     /* to the UPS */
	uint16_t len;
	uint8_t *bytes;
};

struct capture {
	struct capture_frame *frames;
	size_t n, cap;
	enum capture_framing framing;
	unsigned baud;
	/* as the header tells; "" = not told */
	char model[CAPTURE_TEXT_MAX], firmware[CAPTURE_TEXT_MAX], date[CAPTURE_TEXT_MAX],
		tool[CAPTURE_TEXT_MAX], note[CAPTURE_TEXT_MAX];
};

/** Empty, RTU, 9600 baud. */
void capture_init(struct capture *capture);
void capture_close(struct capture *capture);

/**
 * Read a capture.
 *
 * @text   need not end in NUL; borrowed for the call
 * @error  gets "line N: " and what is wrong and what would be right; at least 160 bytes
 *
 * Returns true and fills capture (which was initialised); false, and capture holds what went before
 * the error.
 */
bool capture_parse(struct capture *capture, const char *text, size_t len, char *error, size_t size);
/** The same from a file; the error then begins with its path. */
bool capture_load(struct capture *capture, const char *path, char *error, size_t size);

/**
 * Add bytes at the end; copied. More than CAPTURE_FRAME_MAX become several frames. False if the
 * capture is full (CAPTURE_FRAMES_MAX) or at_us is less than the last one's.
 */
bool capture_add(struct capture *capture, int64_t at_us, bool sent, const uint8_t *bytes,
		 size_t len);

/** Write it as text. Returns false if the file did not take it (errno tells why). */
bool capture_write(const struct capture *capture, FILE *out);

/**
 * Replace each occurrence of a text (the serial number) in the frames from the UPS by as many
 * zeros; checksums that were right are made right again.
 */
void capture_hide(struct capture *capture, const char *text);
