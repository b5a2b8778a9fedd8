// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

extern "C" {
#include "library.h"
#include "mesh.h"
}

// A compiled host library, loaded for as long as this object lives.
class Library {
  public:
    explicit Library(const std::string& path);
    ~Library();
    Library(const Library&) = delete;
    Library& operator=(const Library&) = delete;

    const weft_host_library_t& api() const { return *api_; }
    const weft_program_t& program(std::uint32_t index) const;

  private:
    void* handle_ = nullptr;
    const weft_host_library_t* api_ = nullptr;
};
