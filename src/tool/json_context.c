/*
 * json_context.c - date, host and caches, as Google Benchmark's own reporter writes them, and files of JSON.
 * The caches are read where Linux shows them; elsewhere the list is empty.
 * Source  Google Benchmark, user guide, "Output Formats".
 */
#include "tool/json_context.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <ntmm/ntmm.h>

#include "tool/output.h"

#ifndef TOOL_BUILD_TYPE
#define TOOL_BUILD_TYPE "unknown"
#endif

static struct json_object *text(const char *s) { return json_object_new_string(s); }

static bool read_line(const char *path, char *line, size_t room)
{
    FILE *file = fopen(path, "re");
    bool  read = file != NULL && fgets(line, (int)room, file) != NULL;
    if (file != NULL)
        fclose(file);
    if (read)
        line[strcspn(line, "\n")] = '\0';
    return read;
}

static bool read_cache_property(int index, const char *property, char *value, size_t room)
{
    char path[128];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/%s", index, property);
    return read_line(path, value, room);
}

/* "0-1,4" names three processors. */
static int count_list(const char *list)
{
    int count = 0;
    while (*list >= '0' && *list <= '9') {
        char *end;
        long  first = strtol(list, &end, 10), last = first;
        if (*end == '-')
            last = strtol(end + 1, &end, 10);
        count += (int)(last - first + 1);
        list = *end == ',' ? end + 1 : end;
    }
    return count;
}

static struct json_object *caches(void)
{
    struct json_object *list = json_object_new_array();
    char                type[64], level[64], size[64], shared[256];
    for (int i = 0; read_cache_property(i, "type", type, sizeof type); i++) {
        if (!read_cache_property(i, "level", level, sizeof level) || !read_cache_property(i, "size", size, sizeof size) ||
            !read_cache_property(i, "shared_cpu_list", shared, sizeof shared))
            continue;
        char               *unit = NULL;
        int64_t             bytes = strtoll(size, &unit, 10) * (*unit == 'K' ? 1024 : *unit == 'M' ? 1024 * 1024 : 1);
        struct json_object *cache = json_object_new_object();
        json_object_object_add(cache, "type", text(type));
        json_object_object_add(cache, "level", json_object_new_int(atoi(level)));
        json_object_object_add(cache, "size", json_object_new_int64(bytes));
        json_object_object_add(cache, "num_sharing", json_object_new_int(count_list(shared)));
        json_object_array_add(list, cache);
    }
    return list;
}

static struct json_object *load_average(void)
{
    struct json_object *list = json_object_new_array();
    double              loads[3];
    int                 count = getloadavg(loads, 3);
    for (int i = 0; i < count; i++)
        json_object_array_add(list, json_object_new_double(loads[i]));
    return list;
}

static void add_date(struct json_object *context)
{
    char      date[64] = "";
    time_t    now = time(NULL);
    struct tm local;
    if (localtime_r(&now, &local) != NULL) {
        size_t n = strftime(date, sizeof date - 1, "%Y-%m-%dT%H:%M:%S%z", &local);
        if (n > 2) { /* +0100 becomes +01:00 */
            memmove(date + n - 1, date + n - 2, 3);
            date[n - 2] = ':';
        }
    }
    json_object_object_add(context, "date", text(date));
}

struct json_object *json_context_new(const char *executable, double ns_per_tick)
{
    struct json_object *context = json_object_new_object();
    char                host[256] = "", huge[128];
    gethostname(host, sizeof host - 1);
    add_date(context);
    json_object_object_add(context, "host_name", text(host));
    json_object_object_add(context, "executable", text(executable));
    json_object_object_add(context, "num_cpus", json_object_new_int64(sysconf(_SC_NPROCESSORS_ONLN)));
    json_object_object_add(context, "mhz_per_cpu", json_object_new_int64(ns_per_tick > 0 ? (int64_t)(1000 / ns_per_tick + 0.5) : 0));
    json_object_object_add(context, "cpu_scaling_enabled",
                           json_object_new_boolean(access("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", F_OK) == 0));
    json_object_object_add(context, "caches", caches());
    json_object_object_add(context, "load_avg", load_average());
    json_object_object_add(context, "library_version", text(NTMM_VERSION));
    json_object_object_add(context, "library_build_type", text(TOOL_BUILD_TYPE));
    json_object_object_add(context, "page_size", json_object_new_int(PAGE_SIZE));
    if (read_line("/sys/kernel/mm/transparent_hugepage/enabled", huge, sizeof huge))
        json_object_object_add(context, "transparent_hugepages", text(huge));
    json_object_object_add(context, "json_schema_version", json_object_new_int(1));
    return context;
}

bool json_write(struct json_object *object, const char *path)
{
    const char *json = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
    output      out;
    if (strcmp(path, "-") == 0)
        return puts(json) >= 0 && fflush(stdout) == 0;
    if (!output_open(&out, path))
        return false;
    fprintf(out.stream, "%s\n", json);
    return output_close(&out, true);
}
