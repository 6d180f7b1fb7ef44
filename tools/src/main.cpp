#include "program.hpp"

int main(int count, char** arguments) { return fairlead::tools::run_program(count, arguments); }
