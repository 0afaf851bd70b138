# cmake -DCOMMAND=… (a list) -DCODE=76 -DMESSAGE=… -DSECONDS=20 -P expect_failure.cmake
# Runs the command and insists on its exit code, on its message standing there exactly once, and on the time.
execute_process(COMMAND ${COMMAND} TIMEOUT ${SECONDS} RESULT_VARIABLE code OUTPUT_VARIABLE text ERROR_VARIABLE text)
if(NOT code STREQUAL CODE)
  message(FATAL_ERROR "expected exit code ${CODE}, found ${code}:\n${text}")
endif()
string(REGEX MATCHALL "${MESSAGE}" found "${text}")
list(LENGTH found times)
if(NOT times EQUAL 1)
  message(FATAL_ERROR "expected \"${MESSAGE}\" once, found it ${times} times:\n${text}")
endif()
