// A shard with everything that a shard can have.
pe.shard @s scratch 88 {
  %0 = pe.slot "int8" [1, 3, 8, 1] at 4 every [40, 14, 1, 1] : memref<40xi8>
  %1 = pe.buffer "t" live [0, 0, 2, 3] at 64 : memref<16xi8>
  %2 = pe.buffer "u" live [1, 1] at 64 : memref<24xi8>
  %3 = pe.buffer "y" live [1, 3] at 0 : memref<8xi8>
  %4 = pe.buffer "later" live [0, 3] : memref<400xi8>
  %5 = pe.constant 0 : memref<12xi8>
  pe.result %3 "float32" [2] at 0 every [4] : memref<8xi8>
  pe.task "border" "in0" macs 0 {
    pe.call @fill_s8(%0) + [39] with [1, 1, 0, -2147483648] : memref<40xi8>
    pe.call @copy_s8(%5, %3) + [0, 7] with [4294967295] : memref<12xi8>, memref<8xi8>
  }
  pe.task "copy" "0" macs 12 {
    pe.call @copy_s8(%0, %1) + [0, 0] with [] : memref<40xi8>, memref<16xi8>
  }
}
