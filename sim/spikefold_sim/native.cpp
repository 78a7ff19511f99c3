// Native run: the driver, sink and monitor of traffic.py, cycle by cycle the same, without Python.
//
// usage: sim_top STIMULUS LOG SEED INPUT_THRESHOLD OUTPUT_THRESHOLD WATCHDOG DRAIN COUNTERS [TRACE]
//
// STIMULUS and LOG hold little-endian 64-bit words: packed input beats, and what runlog.py describes.
// Thresholds are stall probabilities in units of 2^-32. Progress lines go to stderr.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "Vtop.h"
#include "harness.h"
#include "verilated.h"
#if VM_TRACE_FST
#include "verilated_fst_c.h"
using Trace = VerilatedFstC;
#elif VM_TRACE
#include "verilated_vcd_c.h"
using Trace = VerilatedVcdC;
#endif

namespace {

using Clock = std::chrono::steady_clock;

enum Outcome { FINISHED = 0, HUNG = 1, BROKEN = 2 };
enum Source { RESULT = 0, PROBE = 1, START = 255 };
constexpr int RESET_CYCLES = 4;

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

std::vector<uint64_t> read_words(const char* path) {
    std::FILE* file = std::fopen(path, "rb");
    if (!file || std::fseek(file, 0, SEEK_END)) {
        std::perror(path);
        std::exit(2);
    }
    std::vector<uint64_t> words(std::ftell(file) / sizeof(uint64_t));
    std::rewind(file);
    const size_t count = std::fread(words.data(), sizeof(uint64_t), words.size(), file);
    std::fclose(file);
    if (count != words.size()) {
        std::fprintf(stderr, "%s: short read\n", path);
        std::exit(2);
    }
    return words;
}

void write_words(const char* path, const std::vector<uint64_t>& head, const std::vector<uint64_t>& log) {
    std::FILE* file = std::fopen(path, "wb");
    if (!file || std::fwrite(head.data(), sizeof(uint64_t), head.size(), file) != head.size() ||
        std::fwrite(log.data(), sizeof(uint64_t), log.size(), file) != log.size() || std::fclose(file)) {
        std::perror(path);
        std::exit(2);
    }
}

// The clocked design; traced where this binary was built for it.
class Design {
public:
    Vtop top;

    explicit Design(const char* trace) {
#if VM_TRACE
        if (trace) {
            top.trace(&trace_, 99);
            trace_.open(trace);
        }
#else
        (void)trace;
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
#if VM_TRACE
    Trace trace_;
    void dump(uint64_t offset) {
        if (trace_.isOpen()) trace_.dump(time_ + offset);
    }
#else
    void dump(uint64_t) {}
#endif
};

// Driver, sink and monitor; `step` is one clock cycle.
class Bench {
public:
    Bench(Design& design, const std::vector<uint64_t>& beats, Stall input_stall, Stall output_stall)
        : design_(design), top_(design.top), beats_(beats), input_stall_(input_stall), output_stall_(output_stall) {
        for (const uint64_t beat : beats) samples_ += (beat & END_SAMPLE) != 0;
    }

    void reset() {
        harness::select(top_, 0);
        top_.i_beat = IDLE;
        top_.o_ready = 0;
        top_.rst = 1;
        for (int i = 0; i < RESET_CYCLES; ++i) {
            design_.settle();
            design_.edge();
        }
        top_.rst = 0;
    }

    Outcome run(uint64_t watchdog, uint64_t drain) {
        bool ending = false;
        for (uint64_t end = 0;; ++cycle_) {
            step();
            if (status_ >> 2 & 1) return BROKEN;
            if (!ending && done_ >= samples_) {
                ending = true;
                end = cycle_ + drain;
            }
            if (ending && cycle_ >= end) return FINISHED;
            if (!ending && cycle_ - seen_ >= watchdog) return HUNG;
        }
    }

    std::vector<uint64_t> summary(Outcome outcome) const {
        return {cycle_ + 1, static_cast<uint64_t>(outcome), offered_, was_valid_, top_.o_ready, status_, streams_, broken_};
    }

    // Every counter gets two cycles to appear.
    void read_counters(int count, std::vector<uint64_t>& head) {
        head.push_back(static_cast<uint64_t>(count));
        for (int counter = 0; counter < count; ++counter) {
            harness::select(top_, counter);
            design_.settle();
            design_.edge();
            design_.settle();
            head.push_back(harness::counter(top_));
            design_.edge();
        }
    }

    const std::vector<uint64_t>& log() const { return log_; }

private:
    static constexpr uint64_t VALID = 1ull << harness::STIMULUS_BITS, IDLE = VALID - 1;
    static constexpr uint64_t END_SAMPLE = VALID >> 1;

    Design& design_;
    Vtop& top_;
    const std::vector<uint64_t>& beats_;
    const Stall input_stall_, output_stall_;
    std::vector<uint64_t> log_;
    uint64_t cycle_ = 0, seen_ = 0, status_ = 0, streams_ = 0, broken_ = 0;
    uint64_t samples_ = 0, started_ = 0, done_ = 0, offered_ = 0;
    bool valid_ = false, was_valid_ = false, fresh_ = true;
    Clock::time_point reported_ = Clock::now();

    void record(int source, uint64_t word) {
        log_.push_back(cycle_ << 8 | static_cast<uint64_t>(source));
        log_.push_back(word);
        seen_ = cycle_;
    }

    void step() {
        if (!valid_ && offered_ < beats_.size() && !input_stall_(cycle_)) {
            top_.i_beat = beats_[offered_] | VALID;
            valid_ = true;
        }
        top_.o_ready = !output_stall_(cycle_);
        was_valid_ = valid_;
        design_.settle();
        status_ = top_.status;
        streams_ = harness::streams(top_);
        broken_ = top_.broken;
        if (status_) observe();
        design_.edge();
        if (!valid_) top_.i_beat = IDLE;
    }

    void observe() {
        if (valid_ && (status_ & 1)) {
            seen_ = cycle_;
            if (fresh_) record(START, started_++);
            fresh_ = beats_[offered_++] & END_SAMPLE;
            valid_ = false;
        }
        if (top_.o_ready && (status_ >> 1 & 1)) {
            record(RESULT, top_.o_word);
            if (top_.o_word >> (harness::RESULT_BITS - 1) & 1) {
                ++done_;
                report();
            }
        }
        for (int probe = 0; probe < harness::PROBES; ++probe)
            if (status_ >> (3 + probe) & 1) record(PROBE + probe, harness::event(top_, probe));
    }

    void report() {
        const auto now = Clock::now();
        if (now - reported_ < std::chrono::milliseconds(500)) return;
        reported_ = now;
        std::fprintf(stderr, "progress %llu\n", static_cast<unsigned long long>(done_));
    }
};

}  // namespace

int main(int argc, char** argv) {
    if (argc < 9) {
        std::fprintf(stderr, "usage: sim_top STIMULUS LOG SEED IN OUT WATCHDOG DRAIN COUNTERS [TRACE]\n");
        return 2;
    }
    const auto number = [argv](int k) { return std::strtoull(argv[k], nullptr, 10); };
    const std::vector<uint64_t> beats = read_words(argv[1]);
#if VM_TRACE
    Verilated::traceEverOn(true);
#endif
    const auto design = std::make_unique<Design>(argc > 9 ? argv[9] : nullptr);
    Bench bench(*design, beats, Stall(number(3), 0, number(4)), Stall(number(3), 1, number(5)));
    bench.reset();
    const auto start = Clock::now();
    const Outcome outcome = bench.run(number(6), number(7));
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    std::vector<uint64_t> head = bench.summary(outcome);
    bench.read_counters(static_cast<int>(number(8)), head);
    design->finish();
    write_words(argv[2], head, bench.log());
    std::fprintf(stderr, "seconds %.6f\n", seconds);
    return 0;
}
