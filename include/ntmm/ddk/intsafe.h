/* intsafe.h - the user-mode sister of ntintsafe.h: some driver headers include it where they want that one. */
#include "ntintsafe.h"
