// The only file that knows C++ and Python: arrays in, arrays of indices out. No algorithm here.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "topoprior/persistence.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

template <class Value>
using Images = nb::ndarray<const Value, nb::numpy, nb::c_contig, nb::device::cpu>;
using Numbers = nb::ndarray<std::int64_t, nb::numpy>;

// Memory for `count` numbers that a NumPy array can own.
std::unique_ptr<topoprior::Buffer<std::int64_t>> numbers(std::size_t count) {
    auto buffer = std::make_unique<topoprior::Buffer<std::int64_t>>();
    buffer->get(count);
    return buffer;
}

Numbers to_numpy(std::unique_ptr<topoprior::Buffer<std::int64_t>> buffer, std::initializer_list<std::size_t> shape) {
    std::int64_t* data = buffer->get(0);
    const nb::capsule owner(
        buffer.release(), [](void* memory) noexcept { delete static_cast<topoprior::Buffer<std::int64_t>*>(memory); });
    return Numbers(data, shape, owner);
}

topoprior::Options options(const std::string& construction, const std::string& boundary, unsigned dimensions) {
    if (construction != "T" && construction != "V")
        throw std::invalid_argument("construction must be \"T\" or \"V\", got \"" + construction + "\"");
    if (boundary != "background" && boundary != "foreground")
        throw std::invalid_argument("boundary must be \"background\" or \"foreground\", got \"" + boundary + "\"");
    return {construction == "T" ? topoprior::Construction::T : topoprior::Construction::V,
            boundary == "background" ? topoprior::Boundary::background : topoprior::Boundary::foreground, dimensions};
}

template <class Value>
nb::tuple persistence_pairs(Images<Value> images, const std::string& construction, const std::string& boundary,
                            unsigned dimensions, std::size_t threads) {
    if (images.ndim() < 2 || images.ndim() > 4)
        throw std::invalid_argument("images must have shape (images, *spatial) with 1, 2 or 3 spatial axes, got " +
                                    std::to_string(images.ndim()) + " axes in all");
    if (dimensions >> (images.ndim() - 1) != 0)
        throw std::invalid_argument("dimensions must be a bit mask of 0 to d - 1, got " + std::to_string(dimensions));
    if (threads == 0) throw std::invalid_argument("threads must be at least 1, got 0");
    std::vector<std::size_t> shape;
    for (std::size_t axis = 1; axis < images.ndim(); ++axis)
        shape.push_back(images.shape(axis));
    const std::size_t count = images.shape(0);
    const std::size_t groups = count * shape.size();
    std::size_t bars_in_all = 0;
    std::unique_ptr<topoprior::Buffer<std::int64_t>> table;
    std::unique_ptr<topoprior::Buffer<std::int64_t>> offsets;
    {
        const nb::gil_scoped_release release;
        const topoprior::BatchPersistence<Value> batch(shape, options(construction, boundary, dimensions));
        topoprior::Team team(batch.useful_threads(count, threads));
        const auto bars = batch.run(images.data(), count, team);
        const std::vector<std::int64_t> begin = batch.offsets(bars);
        bars_in_all = static_cast<std::size_t>(begin.back());
        table = numbers(7 * bars_in_all);
        batch.tabulate(bars, begin, team, table->get(0));
        offsets = numbers(groups + 1);
        std::copy(begin.begin(), begin.end(), offsets->get(0));
    }
    return nb::make_tuple(to_numpy(std::move(table), {7, bars_in_all}), to_numpy(std::move(offsets), {groups + 1}));
}

constexpr const char* kDocumentation =
    "Pixel indices of the bars of a batch of images, shape (images, *spatial), C order, values in [0, 1].\n\n"
    "Returns (table, offsets), int64. The rows of the table are birth index, death index, dimension, image, and rank "
    "(0 is\n"
    "the longest) of every bar, then both indices counted through all images (0 for none). Bars of image i and "
    "dimension k are columns offsets[i * d + k] to offsets[i * d + k + "
    "1].\n"
    "An index of -1 stands for no pixel. The conventions are in topoprior.topology.filtration.";

template <class Value>
void define(nb::module_& module) {
    module.def("persistence_pairs", &persistence_pairs<Value>, "images"_a.noconvert(), "construction"_a, "boundary"_a,
               "dimensions"_a, "threads"_a, kDocumentation);
}

}  // namespace

NB_MODULE(_core, module) {
    module.doc() = "The compiled core of topoprior.";
    define<float>(module);
    define<double>(module);
    define<std::uint8_t>(module);
}
