#include "util/nearest.h"

#include <ctype.h>
#include <string.h>

enum { WORD_MAX = 64 };

/* Levenshtein distance without case, '_' being '-'; words longer than WORD_MAX are far. */
static size_t distance(const char *a, const char *b)
{
	size_t row[WORD_MAX + 1];
	size_t la = strlen(a), lb = strlen(b);

	if (la > WORD_MAX || lb > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			int x = tolower((unsigned char)(a[i - 1] == '_' ? '-' : a[i - 1]));
			int y = tolower((unsigned char)(b[j - 1] == '_' ? '-' : b[j - 1]));
			size_t best = diagonal + (x != y);

			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diagonal = row[j];
			row[j] = best;
		}
	}
	return row[lb];
}

const char *nearest(const char *typed, const char *const *words, size_t n)
{
	const char *best = NULL;
	size_t best_distance = WORD_MAX;

	for (size_t i = 0; i < n; i++) {
		size_t d = distance(typed, words[i]);

		if (d < best_distance && d <= 1 + strlen(words[i]) / 3 && d < strlen(words[i])) {
			best = words[i];
			best_distance = d;
		}
	}
	return best;
}
