/* Runs a fuzz target once on each file of a folder: the corpus as a test, without libFuzzer. */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* 1 if the file was run, 0 if it is no file, -1 on error. */
static int run_file(const char *path)
{
	struct stat st;
	FILE *f = fopen(path, "rb");

	if (!f || fstat(fileno(f), &st) < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		if (f)
			fclose(f);
		return -1;
	}
	if (!S_ISREG(st.st_mode)) {
		fclose(f);
		return 0;
	}

	/* Exactly as large as the input, so that a sanitizer sees the first byte too far. */
	size_t size = (size_t)st.st_size;
	uint8_t *data = malloc(size ? size : 1);
	int result = -1;

	if (data && fread(data, 1, size, f) == size) {
		LLVMFuzzerTestOneInput(data, size);
		result = 1;
	} else {
		fprintf(stderr, "%s: cannot be read\n", path);
	}
	free(data);
	fclose(f);
	return result;
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s CORPUS-FOLDER\n", argv[0]);
		return 2;
	}

	struct dirent **names;
	int n = scandir(argv[1], &names, NULL, alphasort);

	if (n < 0) {
		fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
		return 1;
	}

	const uint8_t empty = 0;
	int ran = 0, failed = 0;

	LLVMFuzzerTestOneInput(&empty, 0);
	for (int i = 0; i < n; i++) {
		char path[4096];

		snprintf(path, sizeof(path), "%s/%s", argv[1], names[i]->d_name);

		int result = run_file(path);

		ran += result > 0;
		failed += result < 0;
		free(names[i]);
	}
	free(names);

	printf("%s: %d files and the empty input\n", argv[1], ran);
	if (!ran)
		fprintf(stderr, "%s: no files: a corpus has at least one\n", argv[1]);
	return !ran || failed;
}
