#include "nut/lexer.h"

#include <string.h>

enum {
	BETWEEN, /* nothing of the next word was seen */
	WORD,
	QUOTED,
	COMMENT,
	LINE_END,    /* a line was handed out; the next byte begins another */
	ESCAPED = 8, /* with WORD or QUOTED: the byte before was a backslash */
};

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r' && c != '\n');
}

/* Other bytes begin words but vanish from them: the grammar is 7-bit. 0x7f stays, as in stock. */
static bool is_text(char c)
{
	return c >= 0x20 && (unsigned char)c <= 0x7f;
}

static void begin_line(struct nut_lexer *l)
{
	l->used = 0;
	l->line.n = 0;
	l->line.extra = 0;
	l->word_len = 0;
	l->state = BETWEEN;
	l->overlong = false;
	l->partial = false;
}

void nut_lexer_init(struct nut_lexer *l)
{
	begin_line(l);
}

static void begin_word(struct nut_lexer *l, bool quoted)
{
	l->state = quoted ? QUOTED : WORD;
	l->word_len = 0;
	if (l->used >= sizeof(l->text))
		l->overlong = true;
	if (l->line.n == NUT_WORDS_MAX || l->overlong || l->line.extra) {
		l->line.extra++;
		return;
	}
	l->starts[l->line.n] = l->used;
	l->line.quoted[l->line.n] = quoted;
	l->line.n++;
}

static void add_char(struct nut_lexer *l, char c)
{
	if (!is_text(c) || l->line.extra || l->word_len == NUT_WORD_MAX)
		return;
	if (l->used + 1 >= sizeof(l->text)) { /* the last byte is the word's NUL */
		l->overlong = true;
		return;
	}
	l->text[l->used++] = c;
	l->word_len++;
}

static void end_word(struct nut_lexer *l)
{
	if (!l->line.extra)
		l->text[l->used++] = '\0';
	l->state = BETWEEN;
}

static void end_line(struct nut_lexer *l)
{
	if (l->state == WORD)
		end_word(l);
	for (size_t i = 0; i < l->line.n; i++)
		l->line.words[i] = l->text + l->starts[i];
	l->state = LINE_END;
	l->partial = false;
}

static void between(struct nut_lexer *l, char c)
{
	if (is_blank(c))
		return;
	switch (c) {
	case '"':
		begin_word(l, true);
		break;
	case '#':
		l->state = COMMENT;
		break;
	case '=':
		begin_word(l, false);
		add_char(l, c);
		end_word(l);
		break;
	case '\\': /* begins a word even if it only joins two lines, as in stock */
		begin_word(l, false);
		l->state |= ESCAPED;
		break;
	default:
		begin_word(l, false);
		add_char(l, c);
	}
}

static void in_word(struct nut_lexer *l, char c)
{
	if (is_blank(c)) {
		end_word(l);
	} else if (c == '#' || c == '=') {
		end_word(l);
		between(l, c);
	} else if (c == '\\') {
		l->state |= ESCAPED;
	} else {
		add_char(l, c);
	}
}

static void in_quotes(struct nut_lexer *l, char c)
{
	if (c == '"')
		end_word(l);
	else if (c == '\\')
		l->state |= ESCAPED;
	else
		add_char(l, c); /* drops LF, too: the quote goes on in the next line */
}

static void escaped(struct nut_lexer *l, char c)
{
	l->state &= ~ESCAPED;
	add_char(l, c); /* drops LF: the lines are joined */
}

bool nut_lexer_feed(struct nut_lexer *l, const char *data, size_t len, size_t *used)
{
	for (size_t i = 0; i < len; i++) {
		char c = data[i];

		if (l->state == LINE_END)
			begin_line(l);
		if (c == '\n' && (l->state == BETWEEN || l->state == WORD || l->state == COMMENT)) {
			end_line(l);
			*used = i + 1;
			return true;
		}
		l->partial = true;
		if (l->state & ESCAPED)
			escaped(l, c);
		else if (l->state == WORD)
			in_word(l, c);
		else if (l->state == BETWEEN)
			between(l, c);
		else if (l->state == QUOTED)
			in_quotes(l, c);
	}
	*used = len;
	return false;
}

size_t nut_escape(char *out, size_t size, const char *value)
{
	size_t n = 0;

	if (!size)
		return 0;
	for (; *value; value++) {
		bool special = *value == '#' || *value == '\\' || *value == '"';

		if (n + special + 1 >= size)
			break;
		if (special)
			out[n++] = '\\';
		out[n++] = *value;
	}
	out[n] = '\0';
	return n;
}
