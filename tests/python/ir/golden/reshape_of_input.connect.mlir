builtin.module {
  fabric.mesh 4 host 0 {
    pe.program @p0 []
    fabric.tensor "x" tensor<2x6xi8>
    fabric.tensor "y" tensor<3x4xi8>
    fabric.channel "in" "x" tensor 0 on 0 depth 2
    fabric.channel "out" "y" tensor 1 on 0 depth 2 at 32
    pe.shard @s0 scratch 0 {
      %0 = pe.slot "int8" [2, 6] at 0 every [6, 1] : memref<12xi8>
      pe.result %0 "int8" [3, 4] at 0 every [4, 1] : memref<12xi8>
    }
    fabric.place @s0 on 0 ["y"] reads [0] from [0, 0] depth [2] writes [1] from [0, 0] constants [] slots_at [0] constants_at []
    fabric.routes [0, 0, -1, 0, 1, 1, 12, 0, 0, 0, 0, 0, 0]
  }
}
