builtin.module {
  pe.program @p kernels ["copy_s8", "lookup_s8_s8"] {
    %0 = pe.buffer "x" live [-1, 0] at 32 : memref<12xi8>
    %1 = pe.buffer "r" live [0, 1] at 0 : memref<12xi8>
    %2 = pe.buffer "y" live [-1, -1, 1, 2] at 16 : memref<12xi8>
    %3 = pe.constant "table" at 0 : memref<256xi8>
    pe.channel "in" "x" in %0 + 0 rows 1 of 12 every 12 as "int8" [2, 6] : memref<12xi8>
    pe.channel "out" "y" in %2 + 0 rows 1 of 12 every 12 as "int8" [4, 3] : memref<12xi8>
    pe.task "lookup" "r" macs 0 {
      pe.call @lookup_s8_s8(%0, %3, %1) + [0, 0, 0] with [1, 1, 1, 12, 0, 0, 0, 0, 0, 0] : memref<12xi8>, memref<256xi8>, memref<12xi8>
    }
    pe.task "transpose" "y" macs 0 {
      pe.call @copy_s8(%1, %2) + [0, 0] with [1, 1, 4, 3, 0, 0, 1, 4, 0, 0, 3, 1] : memref<12xi8>, memref<12xi8>
    }
  }
}
