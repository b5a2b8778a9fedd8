# SPDX-License-Identifier: Apache-2.0
# find_package(weft): weft_add_program(), weft_add_pe() and weft_add_runtime(), described in
# runtime/cmake/weft.cmake, for model files too.
#
#   weft_RUNTIME_DIR     the C runtime: include, src, port, cts
#   WEFT_EXECUTABLE      the command that compiles models (cache)

get_filename_component(_weft_package "${CMAKE_CURRENT_LIST_DIR}/.." ABSOLUTE)
# Within the installed package, or beside it in a checkout.
if(EXISTS "${_weft_package}/runtime")
  set(weft_RUNTIME_DIR "${_weft_package}/runtime")
else()
  get_filename_component(weft_RUNTIME_DIR "${_weft_package}/../../runtime" ABSOLUTE)
endif()

# First the command of the environment that the package is installed in.
find_program(WEFT_EXECUTABLE weft
  HINTS "${_weft_package}/../../../../bin"
  DOC "The command weft, which compiles models"
  NO_CMAKE_FIND_ROOT_PATH)

set_property(GLOBAL PROPERTY WEFT_PACKAGE_DIR "${_weft_package}")
include("${weft_RUNTIME_DIR}/cmake/weft.cmake")
include("${CMAKE_CURRENT_LIST_DIR}/weftCompile.cmake")
unset(_weft_package)
