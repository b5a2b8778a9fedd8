builtin.module {
  pe.program @p kernels ["copy_f32", "lookup_s8_f32", "quantize_f32_s8"] {
    %0 = pe.buffer "x" live [-1, 0] at 16 : memref<24xi8>
    %1 = pe.buffer "q" live [0, 1] at 0 : memref<6xi8>
    %2 = pe.buffer "d" live [1, 2] at 16 : memref<24xi8>
    %3 = pe.buffer "y" live [-1, -1, 2, 3] at 0 : memref<12xi8>
    %4 = pe.constant "scale" at 0 : memref<4xi8>
    %5 = pe.constant "table" at 4 : memref<1024xi8>
    pe.channel "in" "x" in %0 + 0 rows 1 of 24 every 24 as "float32" [1, 6] : memref<24xi8>
    pe.channel "out" "y" in %3 + 0 rows 1 of 12 every 12 as "float32" [1, 3] : memref<12xi8>
    pe.task "quantize" "q" macs 0 {
      pe.call @quantize_f32_s8(%0, %4, %1) + [0, 0, 0] with [1, 1, 1, 6, 0, 0, 0, 0, 0, 0, -4] : memref<24xi8>, memref<4xi8>, memref<6xi8>
    }
    pe.task "lookup" "d" macs 0 {
      pe.call @lookup_s8_f32(%1, %5, %2) + [0, 0, 0] with [1, 1, 1, 6, 0, 0, 0, 0, 0, 0] : memref<6xi8>, memref<1024xi8>, memref<24xi8>
    }
    pe.task "slice" "y" macs 0 {
      pe.call @copy_f32(%2, %3) + [20, 0] with [1, 1, 1, 3, 0, 0, 0, -2, 0, 0, 0, 1] : memref<24xi8>, memref<12xi8>
    }
  }
}
