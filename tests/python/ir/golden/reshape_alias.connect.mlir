builtin.module {
  fabric.mesh 4 host 0 {
    pe.program @p0 ["copy_s8", "lookup_s8_s8"]
    fabric.tensor "x" tensor<2x6xi8>
    fabric.tensor "y" tensor<4x3xi8>
    fabric.channel "in" "x" tensor 0 on 0 depth 2
    fabric.channel "out" "y" tensor 1 on 0 depth 2 at 64
    pe.shard @s0 scratch 28 {
      %0 = pe.slot "int8" [2, 6] at 0 every [6, 1] : memref<12xi8>
      %1 = pe.buffer "0" live [0, 1] at 0 : memref<12xi8>
      %2 = pe.buffer "2" live [1, 2] at 16 : memref<12xi8>
      %3 = pe.constant 0 : memref<256xi8>
      pe.result %2 "int8" [4, 3] at 0 every [3, 1] : memref<12xi8>
      pe.task "lookup" "0" macs 0 {
        pe.call @lookup_s8_s8(%0, %3, %1) + [0, 0, 0] with [1, 1, 1, 12, 0, 0, 0, 0, 0, 0] : memref<12xi8>, memref<256xi8>, memref<12xi8>
      }
      pe.task "transpose" "2" macs 0 {
        pe.call @copy_s8(%1, %2) + [0, 0] with [1, 1, 4, 3, 0, 0, 1, 4, 0, 0, 3, 1] : memref<12xi8>, memref<12xi8>
      }
    }
    fabric.place @s0 on 0 ["r", "v", "y"] reads [0] from [0, 0] depth [2] writes [1] from [0, 0] constants ["table"] slots_at [32] constants_at [0]
    fabric.routes [0, 0, -1, 0, 1, 1, 12, 0, 0, 0, 0, 0, 0]
  }
}
