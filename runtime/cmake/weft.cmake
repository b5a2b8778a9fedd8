# SPDX-License-Identifier: Apache-2.0
# Functions that build compiled programs, and the runtime alone, within other projects. Included by
# the CMakeLists.txt of a program's folder, by that of the runtime, and by find_package(weft).
#
# Flags for C are private to the targets made here, and come after those of the project, so nothing
# leaks into the project's own code and nothing of it changes a number: -ffast-math and contraction
# would.

set_property(GLOBAL PROPERTY WEFT_RUNTIME_DIR "${CMAKE_CURRENT_LIST_DIR}/..")

# weft_add_program(<target> <folder or model> [MACHINE <name or file>] [MAPPING <file>] [PES <n>])
#
# A static library of a compiled program with its runtime: kernels, programs, executive; no port and
# no data. <folder> is what `weft compile` wrote, and is taken as it is. A model file is compiled
# while CMake configures, which takes find_package(weft); the options are those of `weft compile`.
function(weft_add_program target source)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "MACHINE;MAPPING;PES" "")
  if(arg_UNPARSED_ARGUMENTS OR arg_KEYWORDS_MISSING_VALUES)
    message(FATAL_ERROR "weft_add_program(${target} ...): takes MACHINE, MAPPING and PES, each with "
      "a value, not ${arg_UNPARSED_ARGUMENTS}${arg_KEYWORDS_MISSING_VALUES}")
  endif()
  get_filename_component(folder "${source}" ABSOLUTE)
  if(NOT EXISTS "${folder}")
    message(FATAL_ERROR "weft_add_program(${target} ...): ${folder} is not there; give a folder "
      "that weft compile wrote, or a model file")
  elseif(NOT IS_DIRECTORY "${folder}")
    if(NOT COMMAND weft_compile_model)
      message(FATAL_ERROR "weft_add_program(${target} ...): ${folder} is a model file; call "
        "find_package(weft) first, or give a folder that weft compile wrote")
    endif()
    set(model "${folder}")
    set(folder "${CMAKE_CURRENT_BINARY_DIR}/${target}.weft")
    weft_compile_model("${target}" "${model}" "${folder}" "${arg_MACHINE}" "${arg_MAPPING}"
      "${arg_PES}")
  elseif(DEFINED arg_MACHINE OR DEFINED arg_MAPPING OR DEFINED arg_PES)
    message(FATAL_ERROR "weft_add_program(${target} ...): ${folder} is compiled already; MACHINE, "
      "MAPPING and PES go with a model file")
  endif()
  if(NOT EXISTS "${folder}/program.cmake")
    message(FATAL_ERROR "weft_add_program(${target} ...): ${folder} holds no compiled program, or "
      "one of another version; make one with weft compile")
  endif()
  include("${folder}/program.cmake")
  list(TRANSFORM WEFT_PROGRAM_SOURCES PREPEND "${folder}/" OUTPUT_VARIABLE sources)
  add_library(${target} STATIC ${sources})
  target_include_directories(${target} PUBLIC "${folder}")
  _weft_configure(${target} "${folder}/runtime" "${WEFT_PROGRAM_RUNTIME_HASH}")
  set_target_properties(${target} PROPERTIES
    WEFT_PROGRAM_DIR "${folder}" WEFT_PROGRAM_PES "${WEFT_PROGRAM_PES}")
endfunction()

# weft_add_pe(<target> <number> [PROGRAM <program>])
#
# An object library with the data of PE <number> of the program: its tables and weights. Whoever
# links it sees pes.h of that PE. <program> is a target of weft_add_program(); weft_program, that of
# add_subdirectory(<folder>), if it is left out.
function(weft_add_pe target number)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "PROGRAM" "")
  if(NOT arg_PROGRAM)
    set(arg_PROGRAM weft_program)
  endif()
  if(arg_UNPARSED_ARGUMENTS OR NOT TARGET ${arg_PROGRAM})
    message(FATAL_ERROR "weft_add_pe(${target} ${number} ...): ${arg_PROGRAM} is no target of "
      "weft_add_program(); say PROGRAM and its name")
  endif()
  get_target_property(folder ${arg_PROGRAM} WEFT_PROGRAM_DIR)
  get_target_property(pes ${arg_PROGRAM} WEFT_PROGRAM_PES)
  if(NOT number IN_LIST pes)
    message(FATAL_ERROR "weft_add_pe(${target} ${number} ...): PE ${number} of ${folder} has nothing "
      "to do; those that have are ${pes}")
  endif()
  add_library(${target} OBJECT "${folder}/pes.S")
  target_include_directories(${target} PUBLIC "${folder}")
  target_compile_options(${target} PRIVATE "-I${folder}")
  target_compile_definitions(${target} PUBLIC WEFT_PE=${number})
  # What .incbin reads is no dependency that a compiler reports.
  set_source_files_properties("${folder}/pes.S" PROPERTIES OBJECT_DEPENDS
    "${folder}/tables.bin;${folder}/constants.bin")
endfunction()

# weft_add_runtime(<target>)
#
# A static library of the runtime alone, for those who bring code and tables by themselves.
function(weft_add_runtime target)
  get_property(runtime GLOBAL PROPERTY WEFT_RUNTIME_DIR)
  get_filename_component(runtime "${runtime}" ABSOLUTE)
  file(GLOB sources CONFIGURE_DEPENDS "${runtime}/src/*.c")
  add_library(${target} STATIC ${sources})
  weft_runtime_hash(hash "${runtime}")
  _weft_configure(${target} "${runtime}" "${hash}")
endfunction()

# The SHA-256 by which all binaries of a program know that they share a runtime; the same that a
# manifest has as `runtime_sha256`.
function(weft_runtime_hash out_hash runtime)
  file(GLOB_RECURSE files RELATIVE "${runtime}" CONFIGURE_DEPENDS
    "${runtime}/include/*.[ch]" "${runtime}/kernels/*.[ch]" "${runtime}/src/*.[ch]")
  list(SORT files)
  set(text "")
  foreach(name IN LISTS files)
    file(READ "${runtime}/${name}" content)
    string(LENGTH "${content}" bytes)
    string(APPEND text "${name} ${bytes}\n${content}")
  endforeach()
  string(SHA256 hash "${text}")
  set(${out_hash} "${hash}" PARENT_SCOPE)
endfunction()

function(_weft_configure target runtime hash)
  target_include_directories(${target} PUBLIC "${runtime}/include")
  target_compile_definitions(${target} PRIVATE "WEFT_RUNTIME_HASH=\"${hash}\"")
  # In this order: with Clang, -fno-fast-math allows contraction again.
  target_compile_options(${target} PRIVATE -std=c99 -fno-fast-math -ffp-contract=off)
  # Freestanding toolchains may have none.
  include(CheckCSourceCompiles)
  set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
  check_c_source_compiles("#include <string.h>\nvoid *(*f)(void *, int, size_t) = memset;"
    WEFT_HAS_STRING_H)
  if(NOT WEFT_HAS_STRING_H)
    target_include_directories(${target} SYSTEM PRIVATE "${runtime}/port/cortex_m/libc")
  endif()
endfunction()
