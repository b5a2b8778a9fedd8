builtin.module {
  pe.program @p kernels ["copy_s8"] {
    %0 = pe.buffer "x" live [-1, 0] : memref<12xi8>
    %1 = pe.buffer "y" live [-1, -1, 0, 1] : memref<12xi8>
    pe.channel "in" "x" in %0 + 0 rows 1 of 12 every 12 as "int8" [2, 6] : memref<12xi8>
    pe.channel "out" "y" in %1 + 0 rows 1 of 12 every 12 as "int8" [3, 4] : memref<12xi8>
    pe.task "reshape" "y" macs 0 {
      pe.call @copy_s8(%0, %1) + [0, 0] with [1, 1, 1, 12, 0, 0, 0, 1, 0, 0, 0, 1] : memref<12xi8>, memref<12xi8>
    }
  }
}
