#include "cli/plot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/page.h"
#include "cli/when.h"
#include "util/util.h"

enum { AXIS = 9, COLUMNS_MAX = 400 };

static const char *const blocks[] = { " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
static const char *const plain_blocks[] = { " ", ".", ".", ":", ":", "-", "-", "#", "#" };

static const char *block(const struct page *page, unsigned eighths)
{
	return page->utf8 ? blocks[eighths] : plain_blocks[eighths];
}

struct plot_point plot_total(const struct plot_point *points, size_t n)
{
	struct plot_point total = { 0, (double)NAN, (double)NAN, (double)NAN };
	double sum = 0;
	size_t known = 0;

	for (size_t i = 0; i < n; i++) {
		if (isnan(points[i].mean))
			continue;
		total.min = fmin(total.min, points[i].min); /* fmin() passes over NAN */
		total.max = fmax(total.max, points[i].max);
		sum += points[i].mean;
		known++;
	}
	if (known)
		total.mean = sum / (double)known;
	return total;
}

/* Points that fall into a column of many. */
static struct plot_point column_of(const struct plot_point *points, size_t n, unsigned column,
				   unsigned width)
{
	size_t from = n * column / width, to = n * (column + 1) / width;

	if (to == from)
		to = from + 1; /* fewer points than columns: each is drawn wide */
	return plot_total(points + from, to <= n ? to - from : 0);
}

/* 1, 2 or 5 times a power of ten, not less than the wish. */
static double round_step(double wish)
{
	double power = pow(10, floor(log10(wish)));

	if (wish <= power)
		return power;
	if (wish <= 2 * power)
		return 2 * power;
	return wish <= 5 * power ? 5 * power : 10 * power;
}

static void put_time_axis(struct page *page, const struct plot_point *points, size_t n,
			  unsigned width)
{
	int64_t span = points[n - 1].second - points[0].second;
	char from[32], to[32];

	when_local(from, sizeof(from), points[0].second * 1000000, true);
	when_local(to, sizeof(to), points[n - 1].second * 1000000, span > 86400);
	from[16] = '\0'; /* without seconds */
	to[span > 86400 ? 16 : 5] = '\0';
	page_tone(page, TONE_DIM, "%*s%s", AXIS + 1, "", page_glyph(page, "└", "+"));
	for (unsigned i = 0; i < width; i++)
		page_tone(page, TONE_DIM, "%s", page_glyph(page, "─", "-"));
	page_tone(page, TONE_DIM, "\n%*s%-*s%s\n", AXIS + 2, "", (int)(width - strlen(to)), from,
		  to);
}

void plot_chart(struct page *page, const struct plot_point *points, size_t n, unsigned rows,
		const char *unit)
{
	unsigned width = page->columns - AXIS - 3;
	struct plot_point total = plot_total(points, n);
	double heights[COLUMNS_MAX], low, high, step;

	if (width > COLUMNS_MAX)
		width = COLUMNS_MAX;
	if (isnan(total.mean)) {
		page_tone(page, TONE_DIM, "  nothing is known of this time\n");
		return;
	}
	step = round_step(fmax(total.max - total.min, fabs(total.max) / 1000 + 1e-3) / rows);
	low = floor(total.min / step) * step;
	if (low > 0 && low < step * rows / 4)
		low = 0; /* so near, zero is worth seeing */
	step = round_step(fmax((total.max - low) / rows, step / 2));
	high = low + step * rows;
	for (unsigned c = 0; c < width; c++)
		heights[c] = (column_of(points, n, c, width).mean - low) / (high - low) * rows * 8;

	for (unsigned row = rows; row-- > 0;) {
		double top = low + step * (row + 1);

		if (row % 3 == (rows - 1) % 3)
			page_tone(page, TONE_DIM, "%*.*f %s", AXIS - (int)strlen(unit),
				  step < 1 ? 1 : 0, top, unit);
		else
			page_add(page, "%*s", AXIS + 1, "");
		page_pad_to(page, AXIS + 1);
		page_tone(page, TONE_DIM, "%s", page_glyph(page, "│", "|"));
		for (unsigned c = 0; c < width; c++) {
			double over = heights[c] - row * 8;
			unsigned eighths = isnan(over) || over < 0 ? 0
					   : over > 8		   ? 8
								   : (unsigned)over;

			if (row == 0 && !isnan(over) && eighths == 0)
				eighths = 1; /* at the bottom is not the same as not known */
			page_add(page, "%s", block(page, eighths));
		}
		page_add(page, "\n");
	}
	put_time_axis(page, points, n, width);
}

void plot_spark(struct page *page, const struct plot_point *points, size_t n, unsigned width)
{
	struct plot_point total = plot_total(points, n);
	double span = total.max - total.min;

	for (unsigned c = 0; c < width && n; c++) {
		double mean = column_of(points, n, c, width).mean;

		if (isnan(mean))
			page_add(page, " ");
		else
			page_add(page, "%s",
				 block(page, span > 0
						     ? 1 + (unsigned)((mean - total.min) / span * 7)
						     : 4));
	}
}
