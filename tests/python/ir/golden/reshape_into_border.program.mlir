builtin.module {
  pe.program @p kernels ["conv2d_s8_3x3_c2", "copy_s8", "fill_s8"] {
    %0 = pe.buffer "x" live [-1, 0] : memref<32xi8>
    %1 = pe.buffer "v" live [0, 1] : memref<72xi8>
    %2 = pe.buffer "y" live [-1, -1, 1, 2] : memref<64xi8>
    %3 = pe.constant "w" : memref<72xi8>
    %4 = pe.constant "bias" : memref<16xi8>
    %5 = pe.constant "m" : memref<16xi8>
    %6 = pe.constant "s" : memref<4xi8>
    pe.channel "in" "x" in %0 + 0 rows 1 of 32 every 32 as "int8" [4, 8] : memref<32xi8>
    pe.channel "out" "y" in %2 + 0 rows 1 of 64 every 64 as "int8" [1, 4, 4, 4] : memref<64xi8>
    pe.task "reshape" "v" macs 0 {
      pe.call @fill_s8(%1) + [0] with [1, 14, 0, -7] : memref<72xi8>
      pe.call @fill_s8(%1) + [22] with [3, 4, 12, -7] : memref<72xi8>
      pe.call @fill_s8(%1) + [58] with [1, 14, 0, -7] : memref<72xi8>
      pe.call @copy_s8(%0, %1) + [0, 14] with [1, 1, 4, 8, 0, 0, 8, 1, 0, 0, 12, 1] : memref<32xi8>, memref<72xi8>
    }
    pe.task "conv2d" "y" macs 1152 {
      pe.call @conv2d_s8_3x3_c2(%1, %3, %4, %5, %6, %2) + [0, 0, 0, 0, 0, 0] with [4, 4, 4, 12, 2, 16, 4, 3, -128, 127] : memref<72xi8>, memref<72xi8>, memref<16xi8>, memref<16xi8>, memref<4xi8>, memref<64xi8>
    }
  }
}
