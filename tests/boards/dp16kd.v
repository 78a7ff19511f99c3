// A DP16KD of ECP5 as yosys uses it: 1024 words of 18 bits, two ports, output registers with enables of
// their own. What is read while the other port writes it is unknown. Read 36 bits wide, the low half is on the
// data pins of port A; which clock, mode and enable count for it is not documented, so both must be the same.
`timescale 1ns / 1ps
module DP16KD (
  input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2,
  input DIA1, DIA0, ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
  input CEA, OCEA, CLKA, WEA, RSTA, CSA2, CSA1, CSA0,
  output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2,
  output DOA1, DOA0,
  input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2,
  input DIB1, DIB0, ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
  input CEB, OCEB, CLKB, WEB, RSTB, CSB2, CSB1, CSB0,
  output DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2,
  output DOB1, DOB0
);
  parameter DATA_WIDTH_A = 18, DATA_WIDTH_B = 18;
  parameter REGMODE_A = "NOREG", REGMODE_B = "NOREG";
  parameter WRITEMODE_A = "NORMAL", WRITEMODE_B = "NORMAL";
  parameter RESETMODE = "SYNC", ASYNC_RESET_RELEASE = "SYNC", GSR = "AUTO";
  parameter CSDECODE_A = "0b000", CSDECODE_B = "0b000";
  parameter CLKAMUX = "CLKA", CLKBMUX = "CLKB";
  parameter [319:0]
    INITVAL_00 = 0, INITVAL_01 = 0, INITVAL_02 = 0, INITVAL_03 = 0, INITVAL_04 = 0, INITVAL_05 = 0,
    INITVAL_06 = 0, INITVAL_07 = 0, INITVAL_08 = 0, INITVAL_09 = 0, INITVAL_0A = 0, INITVAL_0B = 0,
    INITVAL_0C = 0, INITVAL_0D = 0, INITVAL_0E = 0, INITVAL_0F = 0, INITVAL_10 = 0, INITVAL_11 = 0,
    INITVAL_12 = 0, INITVAL_13 = 0, INITVAL_14 = 0, INITVAL_15 = 0, INITVAL_16 = 0, INITVAL_17 = 0,
    INITVAL_18 = 0, INITVAL_19 = 0, INITVAL_1A = 0, INITVAL_1B = 0, INITVAL_1C = 0, INITVAL_1D = 0,
    INITVAL_1E = 0, INITVAL_1F = 0, INITVAL_20 = 0, INITVAL_21 = 0, INITVAL_22 = 0, INITVAL_23 = 0,
    INITVAL_24 = 0, INITVAL_25 = 0, INITVAL_26 = 0, INITVAL_27 = 0, INITVAL_28 = 0, INITVAL_29 = 0,
    INITVAL_2A = 0, INITVAL_2B = 0, INITVAL_2C = 0, INITVAL_2D = 0, INITVAL_2E = 0, INITVAL_2F = 0,
    INITVAL_30 = 0, INITVAL_31 = 0, INITVAL_32 = 0, INITVAL_33 = 0, INITVAL_34 = 0, INITVAL_35 = 0,
    INITVAL_36 = 0, INITVAL_37 = 0, INITVAL_38 = 0, INITVAL_39 = 0, INITVAL_3A = 0, INITVAL_3B = 0,
    INITVAL_3C = 0, INITVAL_3D = 0, INITVAL_3E = 0, INITVAL_3F = 0;
  localparam [64*320-1:0] INITVAL = {
    INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A, INITVAL_39, INITVAL_38,
    INITVAL_37, INITVAL_36, INITVAL_35, INITVAL_34, INITVAL_33, INITVAL_32, INITVAL_31, INITVAL_30,
    INITVAL_2F, INITVAL_2E, INITVAL_2D, INITVAL_2C, INITVAL_2B, INITVAL_2A, INITVAL_29, INITVAL_28,
    INITVAL_27, INITVAL_26, INITVAL_25, INITVAL_24, INITVAL_23, INITVAL_22, INITVAL_21, INITVAL_20,
    INITVAL_1F, INITVAL_1E, INITVAL_1D, INITVAL_1C, INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18,
    INITVAL_17, INITVAL_16, INITVAL_15, INITVAL_14, INITVAL_13, INITVAL_12, INITVAL_11, INITVAL_10,
    INITVAL_0F, INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A, INITVAL_09, INITVAL_08,
    INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04, INITVAL_03, INITVAL_02, INITVAL_01, INITVAL_00
  };

  wire [17:0] dia = {
    DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3,
    DIA2, DIA1, DIA0
  }, dib = {
    DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3,
    DIB2, DIB1, DIB0
  };
  wire [13:0] ada = {
    ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0
  }, adb = {
    ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0
  };
  wire clka = CLKAMUX == "INV" ? ~CLKA : CLKA;
  wire clkb = CLKBMUX == "INV" ? ~CLKB : CLKB;

  // One memory bit by bit: word, byte of nine bits, bit.
  reg [64*288-1:0] rows;
  wire [64*288-1:0] first_rows;
  genvar k;
  generate for (k = 0; k < 1024; k = k + 1) begin : word
    assign first_rows[18*k +: 18] = INITVAL[20*k +: 18];
  end endgenerate
  initial #1 rows = first_rows;

  // Where an address begins among the bits, and which bits from there on a width has.
  function integer first(input [13:0] address, input integer width);
    case (width)
      36: first = 36 * address[13:5];
      18: first = 18 * address[13:4];
      9: first = 9 * address[13:3];
      4: first = 9 * address[13:3] + 4 * address[2];
      2: first = 9 * address[13:3] + 2 * address[2:1];
      default: first = 9 * address[13:3] + address[2:0];
    endcase
  endfunction

  // The bits that a write changes; 18 and 36 bits have an enable for every nine in the low address bits.
  function [35:0] written(input [13:0] address, input integer width);
    case (width)
      36: written = {{9{address[3]}}, {9{address[2]}}, {9{address[1]}}, {9{address[0]}}};
      18: written = {{9{address[1]}}, {9{address[0]}}};
      default: written = (36'b1 << width) - 1;
    endcase
  endfunction

  function [35:0] read(input [13:0] address, input integer width);
    read = rows[first(address, width) +: 36] & ((36'h1 << width) - 1);
  endfunction

  wire writes_a = CEA & WEA, writes_b = CEB & WEB;
  wire [35:0] data_a = DATA_WIDTH_A == 36 ? {dib, dia} : {18'b0, dia};
  reg [35:0] qa = 0, qb = 0, ra = 0, rb = 0;
  reg [35:0] seen_a, seen_b;

  // What port P reads, unknown where the other writes in the same cycle.
  function [35:0] clashed(
    input [35:0] value, input [13:0] address, input integer width,
    input other, input [13:0] other_address, input integer other_width
  );
    integer place;
    reg [35:0] mask;
    begin
      clashed = value;
      mask = written(other_address, other_width);
      if (other !== 1'b0)
        for (place = 0; place < width; place = place + 1)
          if (first(address, width) + place >= first(other_address, other_width)
              && first(address, width) + place < first(other_address, other_width) + other_width
              && mask[first(address, width) + place - first(other_address, other_width)] !== 1'b0)
            clashed[place] = 1'bx;
    end
  endfunction

  task write(input [13:0] address, input integer width, input [35:0] value);
    integer place;
    reg [35:0] mask;
    begin
      mask = written(address, width);
      for (place = 0; place < width; place = place + 1)
        if (mask[place] === 1'b1) rows[first(address, width) + place] <= value[place];
        else if (mask[place] !== 1'b0) rows[first(address, width) + place] <= 1'bx;
    end
  endtask

  always @(posedge clka) begin
    if (REGMODE_A == "OUTREG" && OCEA !== 1'b0) ra <= OCEA === 1'b1 ? qa : 36'bx;
    if (CEA === 1'b1) begin
      seen_a = read(ada, DATA_WIDTH_A);
      if (writes_a === 1'b0 || WRITEMODE_A == "READBEFOREWRITE")
        qa <= clashed(seen_a, ada, DATA_WIDTH_A, (CLKB ^ (CLKBMUX == "INV")) === 1'b1 ? writes_b : 1'b0, adb, DATA_WIDTH_B);
      else if (WRITEMODE_A == "WRITETHROUGH") qa <= data_a;
      if (writes_a !== 1'b0) write(ada, DATA_WIDTH_A, writes_a === 1'b1 ? data_a : 36'bx);
    end
    else if (CEA !== 1'b0) qa <= 36'bx;
    if (RSTA !== 1'b0) begin qa <= 0; ra <= 0; end
  end

  always @(posedge clkb) begin
    if (REGMODE_B == "OUTREG" && OCEB !== 1'b0) rb <= OCEB === 1'b1 ? qb : 36'bx;
    if (CEB === 1'b1) begin
      seen_b = read(adb, DATA_WIDTH_B);
      if (writes_b === 1'b0 || WRITEMODE_B == "READBEFOREWRITE")
        qb <= clashed(seen_b, adb, DATA_WIDTH_B, (CLKA ^ (CLKAMUX == "INV")) === 1'b1 ? writes_a : 1'b0, ada, DATA_WIDTH_A);
      else if (WRITEMODE_B == "WRITETHROUGH") qb <= {18'b0, dib};
      if (writes_b !== 1'b0) write(adb, DATA_WIDTH_B, writes_b === 1'b1 ? {18'b0, dib} : 36'bx);
    end
    else if (CEB !== 1'b0) qb <= 36'bx;
    if (RSTB !== 1'b0) begin qb <= 0; rb <= 0; end
    // The halves of a wide word must not differ in anything.
    if (DATA_WIDTH_B == 36 && REGMODE_B == "OUTREG" && ((CLKA ^ (CLKAMUX == "INV")) !== 1'b1 || OCEA !== OCEB || RSTA !== RSTB))
      rb[17:0] <= 18'bx;
  end

  wire [35:0] wide = REGMODE_A != REGMODE_B ? 36'bx : REGMODE_B == "OUTREG" ? rb : qb;
  wire [17:0] doa = DATA_WIDTH_B == 36 ? wide[17:0] : REGMODE_A == "OUTREG" ? ra[17:0] : qa[17:0];
  wire [17:0] dob = DATA_WIDTH_B == 36 ? wide[35:18] : REGMODE_B == "OUTREG" ? rb[17:0] : qb[17:0];
  assign {
    DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3,
    DOA2, DOA1, DOA0
  } = doa;
  assign {
    DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3,
    DOB2, DOB1, DOB0
  } = dob;
endmodule
