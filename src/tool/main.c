/*
 * main.c - the command line tool `ntmm`: a table of subcommands.
 */
#include <stdio.h>
#include <string.h>

#include <ntmm/ntmm.h>

#include "tool/replay_play.h"
#include "tool/replay_run.h"
#include "tool/tool.h"

typedef struct command {
    const char *name;
    const char *summary; /* NULL: not for people */
    int (*main)(int argc, char **argv);
} command;

static const command COMMANDS[] = {
    { "replay", "play a recorded allocation trace against ntmm's pools and other allocators", replay_main },
    { "__play", NULL, replay_play_main },
};
#define COMMAND_COUNT (sizeof COMMANDS / sizeof COMMANDS[0])

static int help(FILE *to)
{
    fputs("ntmm - tools around libntmm, the simulated Windows kernel memory manager\n\n"
          "    ntmm COMMAND [OPTION]... [FILE]...\n"
          "    ntmm --help       this page\n"
          "    ntmm --version    the version of tool and library\n\n"
          "Commands; `ntmm COMMAND --help` says more:\n",
          to);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (COMMANDS[i].summary != NULL)
            fprintf(to, "    %-10s %s\n", COMMANDS[i].name, COMMANDS[i].summary);
    return to == stdout ? TOOL_OK : TOOL_USAGE;
}

/* What was printed must also have arrived: a full disk behind `ntmm ... > file` is a failure. */
static int finished(int code)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return code;
    tool_say("standard output cannot be written");
    return code != TOOL_OK ? code : TOOL_FAILED;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : NULL;
    tool_self(argv[0]);
    if (name == NULL)
        return help(stderr);
    if (strcmp(name, "--help") == 0)
        return finished(help(stdout));
    if (strcmp(name, "--version") == 0) {
        printf("ntmm %s\n", NTMM_VERSION);
        return finished(TOOL_OK);
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(COMMANDS[i].name, name) == 0)
            return finished(COMMANDS[i].main(argc - 1, argv + 1));
    tool_say("there is no command `%s`; `ntmm --help` lists them", name);
    return TOOL_USAGE;
}
