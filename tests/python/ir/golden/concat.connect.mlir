builtin.module {
  fabric.mesh 4 host 0 {
    pe.program @p0 ["copy_s8", "weft_copy_rows"]
    fabric.tensor "a" tensor<2x3xi8>
    fabric.tensor "b" tensor<2x1xi8>
    fabric.tensor "y" tensor<2x7xi8>
    fabric.channel "in" "a" tensor 0 on 0 depth 2
    fabric.channel "in" "b" tensor 1 on 0 depth 2
    fabric.channel "out" "y" tensor 2 on 0 depth 2 at 80
    pe.shard @s0 scratch 14 {
      %0 = pe.slot "int8" [2, 3] at 0 every [3, 1] : memref<6xi8>
      %1 = pe.slot "int8" [2, 1] at 0 every [1, 1] : memref<2xi8>
      %2 = pe.buffer "0" live [0, 1] at 0 : memref<14xi8>
      pe.result %2 "int8" [2, 7] at 0 every [7, 1] : memref<14xi8>
      pe.task "concat" "0" macs 0 {
        pe.call @weft_copy_rows(%0, %2) + [0, 0] with [1, 1, 2, 3, 0, 0, 3, 0, 0, 7] : memref<6xi8>, memref<14xi8>
        pe.call @copy_s8(%1, %2) + [0, 3] with [1, 1, 1, 2, 0, 0, 0, 1, 0, 0, 0, 7] : memref<2xi8>, memref<14xi8>
        pe.call @weft_copy_rows(%0, %2) + [0, 4] with [1, 1, 2, 3, 0, 0, 3, 0, 0, 7] : memref<6xi8>, memref<14xi8>
      }
    }
    fabric.place @s0 on 0 ["y"] reads [0, 1] from [0, 0, 0, 0] depth [2, 2] writes [2] from [0, 0] constants [] slots_at [16, 48] constants_at []
    fabric.routes [0, 0, -1, 0, 1, 1, 14, 0, 0, 0, 0, 0, 0]
  }
}
