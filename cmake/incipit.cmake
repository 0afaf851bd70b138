# incipit_library(NAME SOURCES ... DEPENDS ...)
#   a static library of one folder of src/, as incipit::NAME.
# incipit_test(NAME SOURCES ... DEPENDS ... [RANKS 1 2 ...] [LABELS ...])
#   a GoogleTest binary; with RANKS it is run by mpirun once for each rank count.
include_guard()

add_library(incipit_flags INTERFACE)
# For C++ alone: nvcc reads -Werror in a way of its own.
set(flags
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
  # errno and traps stand in the way of vectorised square roots and selects; no value changes.
  -fno-math-errno -fno-trapping-math
  # GCC 12 sees overflows in fmt 9's parser that are not there.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-stringop-overflow>
  $<$<BOOL:${INCIPIT_WERROR}>:-Werror>
  $<$<BOOL:${INCIPIT_ARCH}>:-march=${INCIPIT_ARCH}>)
target_compile_options(incipit_flags INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:${flags}>")
target_include_directories(incipit_flags INTERFACE ${CMAKE_CURRENT_LIST_DIR}/../src)
if(INCIPIT_SANITIZE)
  target_compile_options(incipit_flags INTERFACE -fsanitize=${INCIPIT_SANITIZE} -fno-omit-frame-pointer
                                                 -fno-sanitize-recover=all)
  target_link_options(incipit_flags INTERFACE -fsanitize=${INCIPIT_SANITIZE})
endif()

# Sources are compiled together, which takes half the time.
function(incipit_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_library(incipit_${name} STATIC ${ARG_SOURCES})
  set_target_properties(incipit_${name} PROPERTIES UNITY_BUILD ON)
  add_library(incipit::${name} ALIAS incipit_${name})
  target_link_libraries(incipit_${name} PUBLIC incipit_flags ${ARG_DEPENDS})
endfunction()

function(incipit_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;RANKS;LABELS" ${ARGN})
  set(main GTest::gtest_main)
  if(ARG_RANKS)
    set(main incipit_mpi_main)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE incipit_flags ${ARG_DEPENDS} GTest::gtest ${main})
  set_target_properties(${name} PROPERTIES UNITY_BUILD ON)
  # Tests are compiled more often than run.
  target_compile_options(${name} PRIVATE $<$<AND:$<CONFIG:RelWithDebInfo>,$<COMPILE_LANGUAGE:CXX>>:-O1>)
  target_compile_definitions(${name} PRIVATE
    INCIPIT_SOURCE_DIR="${PROJECT_SOURCE_DIR}" INCIPIT_BINARY_DIR="${PROJECT_BINARY_DIR}")
  if(NOT ARG_RANKS)
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES LABELS "unit;${ARG_LABELS}")
    return()
  endif()
  foreach(ranks IN LISTS ARG_RANKS)
    add_test(NAME ${name}.${ranks}
             COMMAND ${MPIEXEC_EXECUTABLE} ${INCIPIT_MPIEXEC_FLAGS} ${MPIEXEC_NUMPROC_FLAG} ${ranks}
                     $<TARGET_FILE:${name}>)
    set_tests_properties(${name}.${ranks} PROPERTIES
      LABELS "mpi;${ARG_LABELS}" TIMEOUT 300
      ENVIRONMENT "OMPI_ALLOW_RUN_AS_ROOT=1;OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1;OMP_NUM_THREADS=1;OMPI_MCA_rmaps_base_oversubscribe=1;OMPI_MCA_mpi_yield_when_idle=1")
  endforeach()
endfunction()
