builtin.module {
  pe.program @p kernels ["conv2d_s8_3x3_c2", "conv2d_s8_3x3_s2x2_c2", "fill_s8", "lookup_s8_s8", "max_pool_s8_2x2_s2x2"] {
    %0 = pe.buffer "x" live [-1, 0] at 0 : memref<32xi8>
    %1 = pe.buffer "r" live [0, 3] at 128 : memref<98xi8>
    %2 = pe.buffer "a" live [-1, -1, 1, 4] at 64 : memref<64xi8>
    %3 = pe.buffer "b" live [-1, -1, 2, 4] at 32 : memref<16xi8>
    %4 = pe.buffer "c" live [-1, -1, 3, 4] at 48 : memref<8xi8>
    %5 = pe.constant "table" at 0 : memref<256xi8>
    %6 = pe.constant "w" at 256 : memref<72xi8>
    %7 = pe.constant "bias" at 328 : memref<16xi8>
    %8 = pe.constant "m" at 344 : memref<16xi8>
    %9 = pe.constant "s" at 360 : memref<4xi8>
    pe.channel "in" "x" in %0 + 0 rows 1 of 32 every 32 as "int8" [1, 4, 4, 2] : memref<32xi8>
    pe.channel "out" "a" in %2 + 0 rows 1 of 64 every 64 as "int8" [1, 4, 4, 4] : memref<64xi8>
    pe.channel "out" "b" in %3 + 0 rows 1 of 16 every 16 as "int8" [1, 2, 2, 4] : memref<16xi8>
    pe.channel "out" "c" in %4 + 0 rows 1 of 8 every 8 as "int8" [1, 2, 2, 2] : memref<8xi8>
    pe.task "lookup" "r" macs 0 {
      pe.call @fill_s8(%1) + [0] with [1, 16, 0, -7] : memref<98xi8>
      pe.call @fill_s8(%1) + [24] with [3, 6, 14, -7] : memref<98xi8>
      pe.call @fill_s8(%1) + [66] with [1, 32, 0, -7] : memref<98xi8>
      pe.call @lookup_s8_s8(%0, %5, %1) + [0, 0, 16] with [1, 1, 4, 8, 0, 0, 8, 0, 0, 14] : memref<32xi8>, memref<256xi8>, memref<98xi8>
    }
    pe.task "conv2d" "a" macs 1152 {
      pe.call @conv2d_s8_3x3_c2(%1, %6, %7, %8, %9, %2) + [0, 0, 0, 0, 0, 0] with [4, 4, 4, 14, 2, 16, 4, 3, -128, 127] : memref<98xi8>, memref<72xi8>, memref<16xi8>, memref<16xi8>, memref<4xi8>, memref<64xi8>
    }
    pe.task "conv2d" "b" macs 288 {
      pe.call @conv2d_s8_3x3_s2x2_c2(%1, %6, %7, %8, %9, %3) + [16, 0, 0, 0, 0, 0] with [2, 2, 4, 14, 2, 8, 4, 3, -128, 127] : memref<98xi8>, memref<72xi8>, memref<16xi8>, memref<16xi8>, memref<4xi8>, memref<16xi8>
    }
    pe.task "pool" "c" macs 0 {
      pe.call @max_pool_s8_2x2_s2x2(%1, %4) + [16, 0] with [2, 2, 2, 14, 2, 4, 2, 4, 4, 0, 0, -128, 127] : memref<98xi8>, memref<8xi8>
    }
  }
}
