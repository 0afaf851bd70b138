# The bench's sources, but for the products that are its ceilings: gemm.cu, on the shim gemm_plain.cpp.
set(INCIPIT_BENCH_SOURCES
  main.cpp
  case.cpp
  ceilings.cpp
  forward.cpp
  forward_cases.cpp
  polar.cpp
  report.cpp
  sae_cases.cpp
  sae_step.cpp
  sequences.cpp
  settings.cpp
  stopwatch.cpp)
set(INCIPIT_BENCH_KERNEL_SOURCES
  arena.cu
  naive_forward.cu
  naive_sae.cu)
