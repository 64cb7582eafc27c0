/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs a fuzz target over the files of the folders given, in place of libFuzzer, so that a corpus
 * can be replayed by any compiler. A target reports a failure by aborting; this file fails only
 * when there is nothing to replay, since an empty corpus would pass for a tested one.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* 1 if the file was run, 0 if it is no regular file, -1 after an error. */
static int run_file(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return 0;
    FILE *f = fopen(path, "rb");
    /* Exactly as large as the input, so that ASan sees every read beyond it. */
    uint8_t *data = malloc((size_t)st.st_size ? (size_t)st.st_size : 1);
    int result = -1;
    if (f && data && fread(data, 1, (size_t)st.st_size, f) == (size_t)st.st_size) {
        LLVMFuzzerTestOneInput(data, (size_t)st.st_size);
        result = 1;
    } else {
        perror(path);
    }
    free(data);
    if (f)
        fclose(f);
    return result;
}

/* Files run in folder, or -1 after an error. */
static int run_folder(const char *folder)
{
    DIR *d = opendir(folder);
    int count = 0;
    if (!d) {
        perror(folder);
        return -1;
    }
    for (struct dirent *e; count >= 0 && (e = readdir(d)) != NULL;) {
        char path[4096];
        snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
        int ran = run_file(path);
        count = ran < 0 ? -1 : count + ran;
    }
    closedir(d);
    return count;
}

int main(int argc, char **argv)
{
    int total = 0;
    for (int i = 1; i < argc; i++) {
        int n = run_folder(argv[i]);
        if (n < 0)
            return 1;
        total += n;
    }
    printf("%d inputs\n", total);
    return total ? 0 : 1;
}
