builtin.module {
  pe.program @p kernels ["copy_s8", "lookup_s8_s8"] {
    %0 = pe.buffer "x" live [-1, 1] : memref<6xi8>
    %1 = pe.buffer "y" live [-1, -1, 0, 4] : memref<6xi8>
    %2 = pe.buffer "same" live [-1, -1, 1, 4] : memref<6xi8>
    %3 = pe.buffer "constant" live [-1, -1, 2, 4] : memref<5xi8>
    %4 = pe.buffer "again" live [-1, -1, 3, 4] : memref<6xi8>
    %5 = pe.constant "table" : memref<256xi8>
    %6 = pe.constant "k" : memref<5xi8>
    pe.channel "in" "x" in %0 + 0 rows 1 of 6 every 6 as "int8" [2, 3] : memref<6xi8>
    pe.channel "out" "same" in %2 + 0 rows 1 of 6 every 6 as "int8" [2, 3] : memref<6xi8>
    pe.channel "out" "constant" in %3 + 0 rows 1 of 5 every 5 as "int8" [5] : memref<5xi8>
    pe.channel "out" "y" in %1 + 0 rows 1 of 6 every 6 as "int8" [2, 3] : memref<6xi8>
    pe.channel "out" "again" in %4 + 0 rows 1 of 6 every 6 as "int8" [2, 3] : memref<6xi8>
    pe.task "lookup" "y" macs 0 {
      pe.call @lookup_s8_s8(%0, %5, %1) + [0, 0, 0] with [1, 1, 1, 6, 0, 0, 0, 0, 0, 0] : memref<6xi8>, memref<256xi8>, memref<6xi8>
    }
    pe.task "copy" "same" macs 0 {
      pe.call @copy_s8(%0, %2) + [0, 0] with [1, 1, 1, 6, 0, 0, 0, 1, 0, 0, 0, 1] : memref<6xi8>, memref<6xi8>
    }
    pe.task "copy" "constant" macs 0 {
      pe.call @copy_s8(%6, %3) + [0, 0] with [1, 1, 1, 5, 0, 0, 0, 1, 0, 0, 0, 1] : memref<5xi8>, memref<5xi8>
    }
    pe.task "copy" "again" macs 0 {
      pe.call @copy_s8(%1, %4) + [0, 0] with [1, 1, 1, 6, 0, 0, 0, 1, 0, 0, 0, 1] : memref<6xi8>, memref<6xi8>
    }
  }
}
