// A board on a wire: the design runs as fast as it can, its pins rx and tx end at a pseudo-terminal, bit by bit.
//
// usage: sim_top wire CLOCK_HZ BAUD NOISE SEED QUIET
//
// A byte that a program writes to the terminal becomes ten bits on rx, each as long as the baud rate says and
// at no fixed place in a cycle; what tx sends is read as a receiver would. NOISE is the chance of a byte, in
// units of 2^-32, that some of its eight bits flip, either way. After QUIET cycles without a bit the clock stands
// still until a byte comes. The terminal's name is the first line on stderr.

#include <fcntl.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>

#include "Vtop.h"
#include "verilated.h"

namespace {

constexpr int RESET_CYCLES = 4, LOOK_EVERY = 64;

[[noreturn]] void fail(const char* what) {
    std::perror(what);
    std::exit(2);
}

// SplitMix64.
struct Random {
    uint64_t state;
    uint64_t operator()() {
        uint64_t x = state += 0x9E3779B97F4A7C15ull;
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
        return x ^ (x >> 31);
    }
};

struct Noise {
    Random random;
    uint64_t threshold;
    uint8_t operator()(uint8_t byte) {
        if ((random() >> 32) >= threshold) return byte;
        return byte ^ static_cast<uint8_t>(1 + random() % 255);
    }
};

// The terminal. Its other end stays open here, so that programs may come and go.
class Terminal {
public:
    Terminal() : master_(posix_openpt(O_RDWR | O_NOCTTY)) {
        if (master_ < 0 || grantpt(master_) || unlockpt(master_)) fail("pseudo-terminal");
        name_ = ptsname(master_);
        slave_ = open(name_, O_RDWR | O_NOCTTY);
        termios settings;
        if (slave_ < 0 || tcgetattr(slave_, &settings)) fail(name_);
        cfmakeraw(&settings);
        if (tcsetattr(slave_, TCSANOW, &settings) || fcntl(master_, F_SETFL, O_NONBLOCK)) fail(name_);
    }

    const char* name() const { return name_; }

    void read_into(std::deque<uint8_t>& bytes) {
        uint8_t buffer[256];
        const ssize_t count = read(master_, buffer, sizeof buffer);
        bytes.insert(bytes.end(), buffer, buffer + (count > 0 ? count : 0));
    }

    // What nobody reads is lost when the terminal is full, as it is in a real port.
    void put(uint8_t byte) {
        if (write(master_, &byte, 1) != 1) ++lost_;
    }

    void wait() {
        pollfd events{master_, POLLIN, 0};
        poll(&events, 1, -1);
    }

private:
    int master_, slave_;
    const char* name_;
    uint64_t lost_ = 0;
};

// Bytes as bits: a start bit, eight bits, a stop bit. Time is in cycles.
class Sender {
public:
    explicit Sender(double cycles) : cycles_(cycles) {}
    bool busy() const { return left_ > 0; }

    void send(uint8_t byte, double now) {
        bits_ = static_cast<unsigned>(byte) << 1 | 1u << 9;
        left_ = 10;
        end_ = (end_ > now - cycles_ ? end_ : now) + cycles_;
    }

    bool level(double now) {
        while (left_ && now >= end_) {
            bits_ >>= 1;
            if (--left_) end_ += cycles_;
        }
        return !left_ || (bits_ & 1);
    }

private:
    const double cycles_;
    double end_ = 0;
    unsigned bits_ = 0;
    int left_ = 0;
};

class Listener {
public:
    explicit Listener(double cycles) : cycles_(cycles) {}
    bool busy() const { return place_ >= 0; }

    // A byte, or -1.
    int hear(bool level, double now) {
        if (place_ < 0) {
            if (level) return -1;
            place_ = 0;
            next_ = now + cycles_ / 2;
            bits_ = 0;
        }
        if (now < next_) return -1;
        next_ += cycles_;
        if (place_ == 0 && level) {
            place_ = -1;
            return -1;
        }
        if (place_ < 9) {
            bits_ |= static_cast<unsigned>(level) << place_++;
            return -1;
        }
        place_ = -1;
        return level ? static_cast<int>(bits_ >> 1) : -1;
    }

private:
    const double cycles_;
    double next_ = 0;
    unsigned bits_ = 0;
    int place_ = -1;
};

void cycle(Vtop& top) {
    top.clk = 0;
    top.eval();
    top.clk = 1;
    top.eval();
}

[[noreturn]] void serve(Vtop& top, Terminal& terminal, double cycles, Noise noise, uint64_t quiet) {
    Sender sender(cycles);
    Listener listener(cycles);
    std::deque<uint8_t> given;
    uint64_t now = 0, active = 0;
    for (;; ++now) {
        if (now % LOOK_EVERY == 0 && given.empty()) terminal.read_into(given);
        if (!sender.busy() && !given.empty()) {
            sender.send(noise(given.front()), now);
            given.pop_front();
        }
        top.rx = sender.level(now);
        cycle(top);
        const int byte = listener.hear(top.tx, now);
        if (byte >= 0) terminal.put(noise(static_cast<uint8_t>(byte)));
        if (sender.busy() || listener.busy() || !given.empty()) active = now;
        if (now - active > quiet) {
            terminal.wait();
            active = now;
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 7) {
        std::fprintf(stderr, "usage: sim_top wire CLOCK_HZ BAUD NOISE SEED QUIET\n");
        return 2;
    }
    const auto number = [argv](int k) { return std::strtoull(argv[k], nullptr, 10); };
    const auto top = std::make_unique<Vtop>();
    Terminal terminal;
    top->rst = 1;
    top->rx = 1;
    for (int k = 0; k < RESET_CYCLES; ++k) cycle(*top);
    top->rst = 0;
    std::fprintf(stderr, "port %s\n", terminal.name());
    const double cycles = static_cast<double>(number(2)) / static_cast<double>(number(3));
    serve(*top, terminal, cycles, Noise{Random{number(5)}, number(4)}, number(6));
}
