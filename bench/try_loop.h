/* try_loop.h - a call of a function that does nothing, so many times: as it is, and inside of something. */
#ifndef NTMM_BENCH_TRY_LOOP_H
#define NTMM_BENCH_TRY_LOOP_H

void loop_plain(unsigned times);
void loop_sigsetjmp(unsigned times);
void loop_try(unsigned times);
void loop_raise(unsigned times); /* and the function raises an exception */

#endif
