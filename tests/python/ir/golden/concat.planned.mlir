builtin.module {
  pe.program @p kernels ["copy_s8"] {
    %0 = pe.buffer "a" live [-1, 0] at 16 : memref<6xi8>
    %1 = pe.buffer "b" live [-1, 0] at 32 : memref<2xi8>
    %2 = pe.buffer "y" live [-1, -1, 0, 1] at 0 : memref<14xi8>
    pe.channel "in" "a" in %0 + 0 rows 1 of 6 every 6 as "int8" [2, 3] : memref<6xi8>
    pe.channel "in" "b" in %1 + 0 rows 1 of 2 every 2 as "int8" [2, 1] : memref<2xi8>
    pe.channel "out" "y" in %2 + 0 rows 1 of 14 every 14 as "int8" [2, 7] : memref<14xi8>
    pe.task "concat" "y" macs 0 {
      pe.call @copy_s8(%0, %2) + [0, 0] with [1, 1, 2, 3, 0, 0, 3, 1, 0, 0, 7, 1] : memref<6xi8>, memref<14xi8>
      pe.call @copy_s8(%1, %2) + [0, 3] with [1, 1, 1, 2, 0, 0, 0, 1, 0, 0, 0, 7] : memref<2xi8>, memref<14xi8>
      pe.call @copy_s8(%0, %2) + [0, 4] with [1, 1, 2, 3, 0, 0, 3, 1, 0, 0, 7, 1] : memref<6xi8>, memref<14xi8>
    }
  }
}
