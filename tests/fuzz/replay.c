/* replay.c - runs a fuzz target over each file of a folder: regressions, for ever. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
replay(const char *path)
{
	FILE *f = fopen(path, "rb");
	if (f == NULL)
		return 0;

	size_t room = 1 << 20;
	uint8_t *data = malloc(room);
	size_t size = data == NULL ? 0 : fread(data, 1, room, f);
	fclose(f);
	/* An exact allocation, so that a read past the end is seen. */
	uint8_t *exact = malloc(size == 0 ? 1 : size);
	if (exact == NULL)
		abort();
	for (size_t i = 0; i < size; i++)
		exact[i] = data[i];
	free(data);
	(void)LLVMFuzzerTestOneInput(exact, size);
	free(exact);
	return 1;
}

int
main(int argc, char **argv)
{
	int count = 0;
	DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;

	for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
		char path[4096];
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/%s", argv[1], e->d_name);
		count += replay(path);
	}
	if (dir != NULL)
		closedir(dir);
	printf("%s replay of %d inputs\n", count > 0 ? "ok" : "not ok", count);
	return count > 0 ? 0 : 1;
}
