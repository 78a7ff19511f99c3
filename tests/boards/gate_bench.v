// Plays beats to a design and prints its results; in the second half of the results both sides pause at random, in
// so many of 256 cycles.
`timescale 1ns / 1ps
module bench;
  parameter BEATS = 1, BITS = 1, RESULTS = 1, RESULT_BITS = 1, PAUSE = 0;
  reg [BITS-1:0] beats [0:BEATS-1];
  reg clk = 0, rst = 1, valid = 0, ready = 0;
  reg [BITS-1:0] beat;
  reg pauses;
  wire taken, sent;
  wire [RESULT_BITS-1:0] result;
  integer next = 0, results = 0, idle = 0, seed = 1;

  initial $readmemh("beats.hex", beats);
  always #5 clk = ~clk;
  initial begin
    repeat (3) @(negedge clk);
    rst = 0;
  end

  always @(negedge clk) if (!rst) begin
    pauses = 2 * results >= RESULTS;
    if (!valid && next < BEATS && !(pauses && ($random(seed) & 255) < PAUSE)) begin
      valid = 1;
      beat = beats[next];
    end
    ready = !(pauses && ($random(seed) & 255) < PAUSE);
  end

  always @(posedge clk) if (!rst) begin
    idle <= idle + 1;
    if (valid && taken === 1'b1) begin
      next = next + 1;
      valid <= 0;
      idle <= 0;
    end
    if (sent !== 1'b0 && ready) begin
      $display("%b", result);
      results = results + 1;
      idle <= 0;
      if (results == RESULTS) $finish;
    end
    if (idle > 20000) begin
      $display("stuck");
      $finish;
    end
  end

  @DUT@
endmodule
