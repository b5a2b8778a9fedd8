builtin.module {
  fabric.mesh 4 host 0 {
    pe.program @p0 ["lookup_s8_s8", "weft_copy_rows"]
    fabric.tensor "x" tensor<2x3xi8>
    fabric.tensor "x" tensor<2x3xi8>
    fabric.tensor "y" tensor<2x3xi8>
    fabric.tensor "constant" tensor<5xi8>
    fabric.channel "in" "x" tensor 0 on 0 depth 2
    fabric.channel "out" "same" tensor 1 on 0 depth 2 at 80
    fabric.channel "out" "constant" tensor 3 on 0 depth 2 at 112
    fabric.channel "out" "y" tensor 2 on 0 depth 2 at 144
    fabric.channel "out" "again" tensor 2 on 0 depth 2 at 176
    pe.shard @s0 scratch 0 {
      %0 = pe.slot "int8" [2, 3] at 0 every [3, 1] : memref<6xi8>
      pe.result %0 "int8" [2, 3] at 0 every [3, 1] : memref<6xi8>
    }
    pe.shard @s1 scratch 6 {
      %0 = pe.slot "int8" [2, 3] at 0 every [3, 1] : memref<6xi8>
      %1 = pe.buffer "0" live [0, 1] at 0 : memref<6xi8>
      %2 = pe.constant 0 : memref<256xi8>
      pe.result %1 "int8" [2, 3] at 0 every [3, 1] : memref<6xi8>
      pe.task "lookup" "0" macs 0 {
        pe.call @lookup_s8_s8(%0, %2, %1) + [0, 0, 0] with [1, 1, 1, 6, 0, 0, 0, 0, 0, 0] : memref<6xi8>, memref<256xi8>, memref<6xi8>
      }
    }
    pe.shard @s2 scratch 5 {
      %0 = pe.buffer "out0" live [0, 1] at 0 : memref<5xi8>
      %1 = pe.constant 0 : memref<5xi8>
      pe.result %0 "int8" [5] at 0 every [1] : memref<5xi8>
      pe.task "copy" "out0" macs 0 {
        pe.call @weft_copy_rows(%1, %0) + [0, 0] with [1, 1, 1, 5, 0, 0, 0, 0, 0, 0] : memref<5xi8>, memref<5xi8>
      }
    }
    fabric.place @s0 on 0 [] reads [0] from [0, 0] depth [2] writes [1] from [0, 0] constants [] slots_at [16] constants_at []
    fabric.place @s1 on 0 ["y"] reads [1] from [0, 0] depth [2] writes [2] from [0, 0] constants ["table"] slots_at [48] constants_at [0]
    fabric.place @s2 on 0 [] reads [] from [] depth [] writes [3] from [0] constants ["k"] slots_at [] constants_at [256]
    fabric.routes [0, 0, 1, 0, 1, 1, 6, 0, 0, 0, 0, 0, 0, 0, 0, -1, 0, 1, 1, 6, 0, 0, 0, 0, 0, 0, 1, 0, -1, 2, 1, 1, 6, 0, 0, 0, 0, 0, 0, 1, 0, -1, 3, 1, 1, 6, 0, 0, 0, 0, 0, 0, 2, 0, -1, 1, 1, 1, 5, 0, 0, 0, 0, 0, 0]
  }
}
