builtin.module {
  pe.program @p kernels ["conv2d_s8_3x3_c2", "fill_s8"] {
    %0 = pe.buffer "x" live [-1, 1] : memref<84xi8>
    %1 = pe.buffer "y" live [-1, -1, 1, 2] : memref<80xi8>
    %2 = pe.constant "w" : memref<72xi8>
    %3 = pe.constant "bias" : memref<16xi8>
    %4 = pe.constant "m" : memref<16xi8>
    %5 = pe.constant "s" : memref<4xi8>
    pe.channel "in" "x" in %0 + 12 rows 4 of 10 every 12 as "int8" [1, 4, 5, 2] : memref<84xi8>
    pe.channel "out" "y" in %1 + 0 rows 1 of 80 every 80 as "int8" [1, 5, 4, 4] : memref<80xi8>
    pe.task "border" "x" macs 0 {
      pe.call @fill_s8(%0) + [0] with [1, 12, 0, -7] : memref<84xi8>
      pe.call @fill_s8(%0) + [22] with [3, 2, 12, -7] : memref<84xi8>
      pe.call @fill_s8(%0) + [58] with [1, 26, 0, -7] : memref<84xi8>
    }
    pe.task "conv2d" "y" macs 1440 {
      pe.call @conv2d_s8_3x3_c2(%0, %2, %3, %4, %5, %1) + [0, 0, 0, 0, 0, 0] with [5, 4, 4, 12, 2, 16, 4, 3, -128, 127] : memref<84xi8>, memref<72xi8>, memref<16xi8>, memref<16xi8>, memref<4xi8>, memref<80xi8>
    }
  }
}
