// SPDX-License-Identifier: Apache-2.0
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "register.hpp"
#include "stream.hpp"
#include "workers.hpp"

namespace py = pybind11;

namespace {

// Half a minute, where nobody says otherwise.
constexpr std::uint32_t kDeviceDeadline = 30'000'000;

using End = std::pair<std::uint32_t, std::uint32_t>;  // PE and channel there

// The bytes of an array that has no gaps.
std::size_t byte_count(const py::buffer_info& info, const char* what) {
    py::ssize_t expected = info.itemsize;
    for (auto axis = info.ndim; axis-- > 0;) {
        if (info.shape[axis] != 1 && info.strides[axis] != expected)
            throw py::value_error(std::string(what) + " must be contiguous");
        expected *= info.shape[axis];
    }
    return std::size_t(expected);
}

void check_frame(const py::buffer_info& info, const weft_channel_row_t& row) {
    if (byte_count(info, "a frame") != std::size_t{row.rows} * row.row_bytes)
        throw py::value_error("a frame of another size than the channel's");
}

void check_direction(const Stream& stream, const End& end, int direction) {
    if (stream.channel(end.first, end.second).direction == static_cast<std::uint32_t>(direction))
        return;
    throw py::value_error(direction == WEFT_CHANNEL_IN ? "not an input" : "not an output");
}

// Copies a frame into an input and announces it. False without credit.
bool feed(Stream& stream, std::uint32_t pe, std::uint32_t channel, const py::buffer& frame) {
    const py::buffer_info info = frame.request();
    const weft_channel_row_t& row = stream.channel(pe, channel);
    check_frame(info, row);
    check_direction(stream, {pe, channel}, WEFT_CHANNEL_IN);
    const auto* from = static_cast<const std::uint8_t*>(info.ptr);
    const py::gil_scoped_release release;
    std::uint8_t* to = stream.room(pe, channel);
    if (to == nullptr) return false;
    for (std::uint32_t i = 0; i < row.rows; ++i) {
        std::memcpy(to + std::size_t{i} * row.row_stride, from + std::size_t{i} * row.row_bytes,
                    row.row_bytes);
    }
    return stream.publish(pe, channel);
}

// Copies the oldest frame of an output and gives its room back. False without frame.
bool fetch(Stream& stream, std::uint32_t pe, std::uint32_t channel, const py::buffer& frame) {
    const py::buffer_info info = frame.request(true);
    const weft_channel_row_t& row = stream.channel(pe, channel);
    check_frame(info, row);
    check_direction(stream, {pe, channel}, WEFT_CHANNEL_OUT);
    auto* to = static_cast<std::uint8_t*>(info.ptr);
    const py::gil_scoped_release release;
    const std::uint8_t* from = stream.room(pe, channel);
    if (from == nullptr) return false;
    for (std::uint32_t i = 0; i < row.rows; ++i) {
        std::memcpy(to + std::size_t{i} * row.row_bytes, from + std::size_t{i} * row.row_stride,
                    row.row_bytes);
    }
    return stream.release(pe, channel);
}

py::object room(const py::object& self, std::uint32_t pe, std::uint32_t channel) {
    auto& stream = self.cast<Stream&>();
    const weft_channel_row_t& row = stream.channel(pe, channel);
    std::uint8_t* bytes = stream.room(pe, channel);
    if (bytes == nullptr) return py::none();
    return py::array(py::dtype::of<std::uint8_t>(),
                     {py::ssize_t(row.rows), py::ssize_t(row.row_bytes)},
                     {py::ssize_t(row.row_stride), py::ssize_t(1)}, bytes, self);
}

// Until the output has a frame, the input has room, a PE has failed, or the workers have left.
bool wait(Workers& workers, const Stream& stream, const std::optional<End>& output,
          const std::optional<End>& input, double seconds) {
    if (output) check_direction(stream, *output, WEFT_CHANNEL_OUT);
    if (input) check_direction(stream, *input, WEFT_CHANNEL_IN);
    const py::gil_scoped_release release;
    return workers.wait(
        [&] {
            return stream.failed_pe() >= 0 || stream.is_abandoned() ||
                   (output && stream.has_frame(output->first, output->second)) ||
                   (input && stream.has_room(input->first, input->second));
        },
        seconds,
        [] {
            const py::gil_scoped_acquire acquire;
            if (PyErr_CheckSignals() != 0) throw py::error_already_set();
        });
}

py::tuple failure(const Stream& stream) {
    const std::int64_t pe = stream.failed_pe();
    weft_where_t where{};
    // A PE without shards is nowhere; one that has failed is not stepped any further.
    if (pe >= 0) stream.api().pe_where(stream.pe(static_cast<std::uint32_t>(pe)), &where);
    return py::make_tuple(pe, static_cast<int>(stream.failure()), where.shard, where.task,
                          where.frame);
}

// What every shard of a PE waits for: (kind, frame, index, peer).
py::list waits(const Stream& stream, std::uint32_t pe) {
    py::list found;
    for (std::uint32_t shard = 0; shard < stream.tables(pe).shards.count; ++shard) {
        weft_wait_t wait{};
        if (stream.api().pe_waits_for(stream.pe(pe), shard, &wait) != WEFT_OK)
            throw std::runtime_error("a shard that is not there");
        found.append(
            py::make_tuple(static_cast<int>(wait.kind), wait.frame, wait.index, wait.peer));
    }
    return found;
}

py::object step_task(Stream& stream, std::uint32_t pe, std::uint32_t clock) {
    std::optional<Stream::Stepped> stepped;
    {
        const py::gil_scoped_release release;
        stepped = stream.step_task(pe, clock);
    }
    if (!stepped) return py::none();
    return py::make_tuple(stepped->shard, stepped->task, stepped->is_last);
}

py::list take_jobs(Stream& stream) {
    py::list found;
    for (const BegunJob& job : stream.take_jobs())
        found.append(py::make_tuple(job.pe, job.device, job.sequence, job.label, job.is_done));
    return found;
}

py::list device_errors(const Stream& stream, std::uint32_t pe) {
    py::list found;
    for (std::uint32_t i = 0; i < stream.device_count(pe); ++i) {
        const weft_device_error_t error = stream.device_error(pe, i);
        found.append(py::make_tuple(static_cast<int>(error.status), error.label, error.sequence));
    }
    return found;
}

// (kind, from, to, epoch, three arguments) of each.
py::list take_signals(Stream& stream) {
    py::list found;
    for (const weft_host_signal_t& s : stream.take_signals()) {
        found.append(py::make_tuple(static_cast<int>(s.kind), s.from, s.to, s.epoch, s.arguments[0],
                                    s.arguments[1], s.arguments[2]));
    }
    return found;
}

}  // namespace

void register_stream(py::module_& m) {
    py::class_<Stream, std::shared_ptr<Stream>>(m, "Stream", "The PEs of one compiled program.")
        .def(py::init<std::shared_ptr<Library>, std::uint32_t, std::uint32_t>(), py::arg("library"),
             py::arg("epoch"), py::arg("device_deadline") = kDeviceDeadline)
        .def(
            "add",
            [](Stream& self, std::uint32_t program, const py::buffer& tables,
               const py::buffer& constants) {
                const py::buffer_info t = tables.request(), c = constants.request();
                self.add(program, t.ptr, byte_count(t, "tables"), c.ptr,
                         byte_count(c, "constants"));
            },
            py::arg("program"), py::arg("tables"), py::arg("constants"),
            "Adds the PE of the next number, with a copy of its data.")
        .def(
            "add_foreign",
            [](Stream& self, std::uint32_t program, const py::buffer& tables,
               const py::buffer& constants, const py::buffer& arena, const py::buffer& state) {
                const py::buffer_info t = tables.request(), c = constants.request();
                const py::buffer_info a = arena.request(true), s = state.request(true);
                const Stream::Foreign foreign{static_cast<std::uint8_t*>(a.ptr),
                                              byte_count(a, "an arena"),
                                              static_cast<std::uint32_t*>(s.ptr),
                                              byte_count(s, "counters") / sizeof(std::uint32_t)};
                self.add(program, t.ptr, byte_count(t, "tables"), c.ptr, byte_count(c, "constants"),
                         &foreign);
            },
            py::arg("program"), py::arg("tables"), py::arg("constants"), py::arg("arena"),
            py::arg("state"), py::keep_alive<1, 5>(), py::keep_alive<1, 6>(),
            "Adds the PE of the next number, which somebody else steps, in memory of the caller's. "
            "All other PEs are then stepped with `step`, and their signals delivered by the "
            "caller.")
        .def("step", &Stream::step, py::arg("pe"), py::call_guard<py::gil_scoped_release>(),
             "Steps a PE once; True if it did something.")
        .def("step_by_clock", &Stream::step_by_clock,
             "Before `connect`: no workers, PEs are stepped with `step_task`, and the caller "
             "delivers their signals.")
        .def("step_task", &step_task, py::arg("pe"), py::arg("clock"),
             "Steps a PE once, whose clock shows `clock` meanwhile, modulo 2^32: the shard and the "
             "task that was run, and whether the firing ended with it; None if it did nothing.")
        .def("announced_bytes", &Stream::announced_bytes, py::arg("pe"), py::arg("slot"),
             py::arg("producer"), "How many bytes an arrival there announces.")
        .def("progress", &Stream::progress, py::arg("pe"), py::arg("channel"),
             "Frames of an input that the PE has consumed, or of an output that are whole or were, "
             "modulo 2^32.")
        .def("depth", &Stream::depth, py::arg("pe"), py::arg("channel"),
             "Frames that the slot of a channel has room for.")
        .def("take_jobs", &take_jobs,
             "Jobs that devices have begun since, in order: (PE, device, sequence, label, whether "
             "it is done already). After `step_by_clock` only.")
        .def("end_job", &Stream::end_job, py::arg("pe"), py::arg("device"), py::arg("sequence"),
             py::arg("clock"), py::call_guard<py::gil_scoped_release>(),
             "Lets a device complete that job, at `clock` of the PE; False if it does not.")
        .def("device_errors", &device_errors, py::arg("pe"),
             "Of every device of a PE, its last failure: (status, label of the job, sequence); "
             "status 0 if there was none.")
        .def("take_signals", &take_signals,
             "What PEs have said since, in order: (kind, from, to, epoch, three arguments).")
        .def(
            "deliver",
            [](Stream& self, int kind, std::uint32_t pe, std::uint32_t epoch, std::uint32_t first,
               std::uint32_t second, std::uint32_t third) {
                const weft_host_signal_t signal{static_cast<weft_host_signal_kind_t>(kind),
                                                0u,
                                                pe,
                                                epoch,
                                                {first, second, third}};
                return static_cast<int>(self.deliver(signal));
            },
            py::arg("kind"), py::arg("pe"), py::arg("epoch"), py::arg("first"), py::arg("second"),
            py::arg("third"), "Delivers a signal to a PE; the runtime's status.")
        .def(
            "write",
            [](Stream& self, std::uint32_t pe, std::uint32_t offset, const py::buffer& data) {
                const py::buffer_info info = data.request();
                return self.write(pe, offset, info.ptr, byte_count(info, "data"));
            },
            py::arg("pe"), py::arg("offset"), py::arg("data"),
            "Writes into a PE's arena, as another PE does; False if there is no such place.")
        .def(
            "set_dram",
            [](Stream& self, const py::buffer& data) {
                const py::buffer_info info = data.request();
                self.set_dram(info.ptr, byte_count(info, "data"));
            },
            py::arg("data"), "Before `connect`: what is in DRAM, which is copied.")
        .def("connect", &Stream::connect, "After the last PE.")
        .def("feed", &feed, py::arg("pe"), py::arg("channel"), py::arg("frame"),
             "Copies a contiguous frame into an input; False if there is no room.")
        .def("fetch", &fetch, py::arg("pe"), py::arg("channel"), py::arg("frame"),
             "Copies an output into a contiguous array; False if there is no frame.")
        .def("room", &room, py::arg("pe"), py::arg("channel"),
             "A uint8 view of (rows, bytes a row) of where the next frame of an input goes, or the "
             "oldest of an output is; None if there is none.")
        .def("publish", &Stream::publish, py::arg("pe"), py::arg("channel"),
             "Announces a frame that was written into the room of an input.")
        .def("release", &Stream::release, py::arg("pe"), py::arg("channel"),
             "Gives back the room of an output's oldest frame.")
        .def("passed", &Stream::passed, py::arg("pe"), py::arg("channel"),
             "How many frames went in or out there, by feed and publish, fetch and release.")
        .def(
            "fail",
            [](Stream& self, std::uint32_t pe, std::uint16_t status) {
                self.fail(pe, static_cast<weft_status_t>(status));
            },
            py::arg("pe"), py::arg("status"), "Ends the work of one PE with an error status.")
        .def("settle", &Stream::settle, py::arg("seconds"),
             py::call_guard<py::gil_scoped_release>(),
             "Steps all PEs until nothing is on its way; False if the time passed first.")
        .def("failure", &failure,
             "The first PE that failed, -1 if none did, its status, and the shard, task and frame "
             "that it was at.")
        .def("waits", &waits, py::arg("pe"),
             "(kind, frame, slot or send, peer) for every shard of a PE; kinds are those of "
             "weft_wait_kind_t.");

    py::class_<Workers, std::shared_ptr<Workers>>(m, "Workers", "Threads that step PEs.")
        .def(py::init<unsigned>(), py::arg("threads"))
        .def("attach", &Workers::attach, py::arg("stream"),
             py::call_guard<py::gil_scoped_release>())
        .def("detach", &Workers::detach, py::arg("stream"),
             py::call_guard<py::gil_scoped_release>())
        .def("wait", &wait, py::arg("stream"), py::arg("output"), py::arg("input"),
             py::arg("seconds"),
             "Until the output (PE, channel) has a frame, the input has room, a PE has failed, or "
             "the workers are detached; None for what does not matter. Without threads, the "
             "caller's does the work. False if the time passed first.");
}
