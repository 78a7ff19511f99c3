// Native run: the driver, sink and monitor of traffic.py, cycle by cycle the same, without Python.
//
// usage: sim_top native STIMULUS LOAD LOG SEED INPUT_THRESHOLD OUTPUT_THRESHOLD WATCHDOG TAIL COUNTERS [TRACE]
//
// STIMULUS and LOG hold little-endian 64-bit words: packed input beats, and what runlog.py describes; LOAD
// holds the bytes of the load stream. Thresholds are stall probabilities in units of 2^-32. Progress lines
// go to stderr.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "Vtop.h"
#include "harness.h"
#include "verilated.h"
#if VM_TRACE_FST
#include "verilated_fst_c.h"
using Trace = VerilatedFstC;
#elif VM_TRACE_SAIF
#include "verilated_saif_c.h"
using Trace = VerilatedSaifC;
#elif VM_TRACE
#include "verilated_vcd_c.h"
using Trace = VerilatedVcdC;
#endif

namespace {

using Clock = std::chrono::steady_clock;

enum Outcome { FINISHED = 0, HUNG = 1, BROKEN = 2 };
enum Source { START = 0, RESULT = 1, PROBE = 2 };
enum Status { INPUT_READY = 0, RESULT_VALID = 1, ANY_BROKEN = 2, LOAD_READY = 3, FIRST_PROBE = 4 };
constexpr int SOURCE_BITS = 16, RESET_CYCLES = 4, STREAMS = 3 + harness::PROBES;

uint64_t mix(uint64_t counter) {
    uint64_t x = (counter + 1) * 0x9E3779B97F4A7C15ull;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
    return x ^ (x >> 31);
}

struct Stall {
    uint64_t key, threshold;
    Stall(uint64_t seed, uint64_t stream, uint64_t threshold) : key(mix(seed + stream)), threshold(threshold) {}
    bool operator()(uint64_t cycle) const { return threshold && (mix(key + cycle) >> 32) < threshold; }
};

// Bits 32 * word and up of a port, whatever type Verilator gave it.
template <class Port>
uint32_t part(const Port& port, int word) {
    if constexpr (std::is_integral_v<Port>)
        return static_cast<uint32_t>(static_cast<uint64_t>(port) >> (32 * word));
    else
        return port[word];
}

template <class Port>
unsigned bits(const Port& port, int offset, unsigned mask) {
    return part(port, offset / 32) >> (offset % 32) & mask;
}

[[noreturn]] void fail(const char* path) {
    std::perror(path);
    std::exit(2);
}

template <class Item>
std::vector<Item> read_file(const char* path) {
    std::FILE* file = std::fopen(path, "rb");
    if (!file || std::fseek(file, 0, SEEK_END)) fail(path);
    std::vector<Item> items(std::ftell(file) / sizeof(Item));
    std::rewind(file);
    if (std::fread(items.data(), sizeof(Item), items.size(), file) != items.size()) fail(path);
    std::fclose(file);
    return items;
}

// Entries go to the file as they come; the words at its start, known in number, when the run is over.
class Log {
public:
    Log(const char* path, size_t head) : path_(path), file_(std::fopen(path, "wb")) {
        if (!file_) fail(path);
        write(std::vector<uint64_t>(head));
    }

    void entry(uint64_t stamp, uint64_t word) {
        entries_.push_back(stamp);
        entries_.push_back(word);
        if (entries_.size() >= CHUNK) flush();
    }

    void close(const std::vector<uint64_t>& head) {
        flush();
        std::rewind(file_);
        write(head);
        if (std::fclose(file_)) fail(path_);
    }

private:
    static constexpr size_t CHUNK = 1 << 17;
    const char* path_;
    std::FILE* file_;
    std::vector<uint64_t> entries_;

    void flush() {
        write(entries_);
        entries_.clear();
    }

    void write(const std::vector<uint64_t>& words) {
        if (std::fwrite(words.data(), sizeof(uint64_t), words.size(), file_) != words.size()) fail(path_);
    }
};

// Offers words in order; once offered, a word stays until it is accepted.
template <class Item>
class Driver {
public:
    bool valid = false;
    uint64_t accepted = 0;

    Driver(const std::vector<Item>& words, int width, Stall stall)
        : words_(words), valid_(1ull << width), stall_(stall) {}

    uint64_t idle() const { return valid_ - 1; }
    bool done() const { return accepted == words_.size(); }

    // What to drive in this cycle.
    uint64_t drive(uint64_t cycle) {
        if (!valid && accepted < words_.size()) valid = !stall_(cycle);
        return valid ? words_[accepted] | valid_ : idle();
    }

    bool observe(bool ready) {
        if (!valid || !ready) return false;
        ++accepted;
        valid = false;
        return true;
    }

private:
    const std::vector<Item>& words_;
    const uint64_t valid_;
    const Stall stall_;
};

#if VM_TRACE_SAIF
constexpr bool AFTER_RESET = true;  // activity counts from the end of reset and load to the end of the run
#else
constexpr bool AFTER_RESET = false;  // a waveform shows everything
#endif

// The clocked design; traced where this binary was built for it.
class Design {
public:
    Vtop top;

    explicit Design(const char* trace) : path_(trace) {
#if VM_TRACE
        if (path_) top.trace(&trace_, 99);
        if (path_ && !AFTER_RESET) trace_.open(path_);
#endif
    }

    void begin() {
#if VM_TRACE
        if (!path_ || !AFTER_RESET || trace_.isOpen()) return;
        time_ = 0;
        trace_.open(path_);
#endif
    }

    void end() {
#if VM_TRACE
        if (!AFTER_RESET || !trace_.isOpen()) return;
        dump(0);
        trace_.close();
#endif
    }

    // Settle the inputs: outputs are then as just before the rising edge.
    void settle() {
        top.clk = 0;
        top.eval();
        dump(0);
    }

    void edge() {
        top.clk = 1;
        top.eval();
        dump(5);
        time_ += 10;
    }

    void finish() {
        top.final();
#if VM_TRACE
        if (trace_.isOpen()) trace_.close();
#endif
    }

private:
    uint64_t time_ = 0;
    const char* path_;
#if VM_TRACE
    Trace trace_;
    void dump(uint64_t offset) {
        if (trace_.isOpen()) trace_.dump(time_ + offset);
    }
#else
    void dump(uint64_t) {}
#endif
};

// Drivers, sink and monitor.
class Bench {
public:
    Bench(Design& design, const std::vector<uint64_t>& beats, Driver<uint64_t> input, Driver<uint8_t> load,
          Stall output_stall, Log& log)
        : design_(design), top_(design.top), beats_(beats), input_(input), load_(load),
          output_stall_(output_stall), log_(log) {
        for (const uint64_t beat : beats) samples_ += ends(beat);
    }

    void reset() {
        top_.counter_select = 0;
        top_.i_beat = input_.idle();
        top_.i_byte = load_.idle();
        top_.o_ready = 0;
        top_.rst = 1;
        for (int i = 0; i < RESET_CYCLES; ++i) {
            design_.settle();
            design_.edge();
        }
        top_.rst = 0;
    }

    Outcome run(uint64_t watchdog, uint64_t tail) {
        bool running = true;
        Outcome outcome = FINISHED;
        for (; running; ++cycle_) {
            if (load_.done()) design_.begin();
            drive();
            design_.settle();
            observe();
            const bool ending = done_ >= samples_;
            outcome = broken_ ? BROKEN : ending ? FINISHED : HUNG;
            running = !(broken_ || cycle_ - seen_ >= (ending ? tail : watchdog));
            if (!running) note_states();
            design_.edge();
        }
        design_.end();
        return outcome;
    }

    // Scalars and states as of the last cycle, counters as of now: every one gets two cycles to appear.
    std::vector<uint64_t> summary(Outcome outcome, int counters) {
        std::vector<uint64_t> head{cycle_, static_cast<uint64_t>(outcome), input_.accepted, load_.accepted};
        head.push_back(STREAMS);
        head.insert(head.end(), states_.begin(), states_.end());
        head.push_back(counters);
        for (int counter = 0; counter < counters; ++counter) {
            top_.counter_select = counter;
            design_.settle();
            design_.edge();
            design_.settle();
            head.push_back(top_.counter_value);
            design_.edge();
        }
        return head;
    }

    static size_t summary_words(int counters) { return 4 + 1 + STREAMS + 1 + counters; }

private:
    Design& design_;
    Vtop& top_;
    const std::vector<uint64_t>& beats_;
    Driver<uint64_t> input_;
    Driver<uint8_t> load_;
    const Stall output_stall_;
    Log& log_;
    std::vector<uint64_t> states_;
    uint64_t cycle_ = 0, seen_ = 0, samples_ = 0, started_ = 0, done_ = 0;
    bool broken_ = false;
    Clock::time_point reported_ = Clock::now();

    static bool ends(uint64_t beat) { return beat >> (harness::STIMULUS_BITS - 1) & 1; }

    void record(int source, uint64_t word) {
        log_.entry(cycle_ << SOURCE_BITS | static_cast<uint64_t>(source), word);
        seen_ = cycle_;
    }

    void drive() {
        top_.i_beat = input_.drive(cycle_);
        top_.i_byte = load_.drive(cycle_);
        top_.o_ready = !output_stall_(cycle_);
    }

    // Of every stream: valid, ready, broke its contract.
    void note_states() {
        for (int k = 0; k < STREAMS; ++k)
            states_.push_back(bits(top_.streams, 2 * k, 3) | bits(top_.broken, k, 1) << 2);
    }

    void observe() {
        const uint32_t status = part(top_.status, 0);
        broken_ = status >> ANY_BROKEN & 1;
        if (load_.observe(status >> LOAD_READY & 1)) seen_ = cycle_;
        if (input_.observe(status >> INPUT_READY & 1)) {
            seen_ = cycle_;
            const uint64_t number = input_.accepted - 1;
            if (number == 0 || ends(beats_[number - 1])) record(START, started_++);
        }
        if (top_.o_ready && (status >> RESULT_VALID & 1)) {
            record(RESULT, top_.o_word);
            if (top_.o_word >> (harness::RESULT_BITS - 1) & 1) {
                ++done_;
                report();
            }
        }
        for (int first = 0; first < FIRST_PROBE + harness::PROBES; first += 32) {
            uint32_t fired = part(top_.status, first / 32);
            if (first == 0) fired &= ~0u << FIRST_PROBE;
            for (; fired; fired &= fired - 1) {
                const int probe = first + __builtin_ctz(fired) - FIRST_PROBE;
                record(PROBE + probe, harness::event(top_, probe));
            }
        }
    }

    void report() {
        const auto now = Clock::now();
        if (now - reported_ < std::chrono::milliseconds(500)) return;
        reported_ = now;
        std::fprintf(stderr, "progress %llu\n", static_cast<unsigned long long>(done_));
    }
};

}  // namespace

int native_main(int argc, char** argv) {
    if (argc < 10) {
        std::fprintf(stderr, "usage: sim_top native STIMULUS LOAD LOG SEED IN OUT WATCHDOG TAIL COUNTERS [TRACE]\n");
        return 2;
    }
    const auto number = [argv](int k) { return std::strtoull(argv[k], nullptr, 10); };
    const std::vector<uint64_t> beats = read_file<uint64_t>(argv[1]);
    const std::vector<uint8_t> bytes = read_file<uint8_t>(argv[2]);
    const uint64_t seed = number(4), source = number(5), sink = number(6);
    const int counters = static_cast<int>(number(9));
#if VM_TRACE
    Verilated::traceEverOn(true);
#endif
    const auto design = std::make_unique<Design>(argc > 10 ? argv[10] : nullptr);
    Log log(argv[3], Bench::summary_words(counters));
    const Driver<uint64_t> input(beats, harness::STIMULUS_BITS, Stall(seed, 0, source));
    const Driver<uint8_t> load(bytes, 8, Stall(seed, 2, source));
    Bench bench(*design, beats, input, load, Stall(seed, 1, sink), log);
    bench.reset();
    const auto start = Clock::now();
    const Outcome outcome = bench.run(number(7), number(8));
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    log.close(bench.summary(outcome, counters));
    design->finish();
    std::fprintf(stderr, "seconds %.6f\n", seconds);
    return 0;
}
