#pragma once

#include <stddef.h>
#include <stdint.h>

struct page;

/* One point of a chart; mean NAN: nothing is known. */
struct plot_point {
	int64_t second; /* unix */
	double min, mean, max;
};

/**
 * A chart of rows lines with axes, as wide as the page allows. Each column stands for as many points
 * as fall into it; the bar ends at their mean, columns without any stay empty.
 */
void plot_chart(struct page *page, const struct plot_point *points, size_t n, unsigned rows,
		const char *unit);

/** A line of blocks, width columns; from the least to the greatest of what is known. */
void plot_spark(struct page *page, const struct plot_point *points, size_t n, unsigned width);

/** Least, mean and greatest of all points; NAN if nothing is known. */
struct plot_point plot_total(const struct plot_point *points, size_t n);
