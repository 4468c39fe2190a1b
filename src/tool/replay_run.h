/*
 * replay_run.h - the command `ntmm replay`.
 */
#ifndef NTMM_TOOL_REPLAY_RUN_H
#define NTMM_TOOL_REPLAY_RUN_H

/** argv[0] is "replay". @return exit code */
int replay_main(int argc, char **argv);

#endif
