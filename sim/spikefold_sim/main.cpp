// The executable of a design: native.cpp where the first argument is "native", else cocotb's own main program.
//
// cocotb_main.h includes that program; it is empty where a trace is written, which cocotb has no part in.

#include <cstring>

#define main cocotb_main
#include "cocotb_main.h"
#undef main

int native_main(int argc, char** argv);

int main(int argc, char** argv) {
    if (argc > 1 && !std::strcmp(argv[1], "native")) return native_main(argc - 1, argv + 1);
#ifdef DRIVEN_BY_COCOTB
    return cocotb_main(argc, argv);
#else
    return 2;
#endif
}
