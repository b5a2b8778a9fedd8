builtin.module {
  fabric.mesh 4 host 0 {
    fabric.tensor "x" tensor<1x4x4x2xi8>
    fabric.tensor "x" tensor<1x4x4x2xi8>
    fabric.tensor "a" tensor<1x4x4x4xi8>
    fabric.tensor "y" tensor<1x2x2x4xi8>
    fabric.channel "in" "x" tensor 0 on 3 depth 1
    fabric.channel "out" "y" tensor 3 on 2 depth 1
    fabric.channel "out" "a" tensor 2 on 3 depth 1
    pe.shard @s0 {
      %0 = pe.slot "int8" [1, 4, 4, 2] at 0 every [32, 8, 2, 1] : memref<32xi8>
      pe.result %0 "int8" [1, 4, 4, 2] at 0 every [32, 8, 2, 1] : memref<32xi8>
    }
    pe.shard @s1 {
      %0 = pe.slot "int8" [1, 4, 4, 2] at 0 every [32, 8, 2, 1] : memref<32xi8>
      %1 = pe.buffer "0" live [0, 1] : memref<32xi8>
      %2 = pe.constant 0 : memref<4xi8>
      %3 = pe.constant 1 : memref<8xi8>
      %4 = pe.constant 2 : memref<2xi8>
      pe.result %1 "int8" [1, 4, 4, 2] at 0 every [32, 8, 2, 1] : memref<32xi8>
      pe.task "conv2d" "0" macs 64 {
        pe.call @conv2d_s8_1x1_c2(%0, %2, %3, %3, %4, %1) + [0, 0, 0, 0, 0, 0] with [4, 4, 2, 8, 2, 8, 2, 3, -128, 127] : memref<32xi8>, memref<4xi8>, memref<8xi8>, memref<8xi8>, memref<2xi8>, memref<32xi8>
      }
    }
    pe.shard @s2 {
      %0 = pe.slot "int8" [1, 4, 4, 4] at 0 every [64, 16, 4, 1] : memref<64xi8>
      %1 = pe.buffer "0" live [0, 1] : memref<16xi8>
      pe.result %1 "int8" [1, 2, 2, 4] at 0 every [16, 8, 4, 1] : memref<16xi8>
      pe.task "pool" "0" macs 0 {
        pe.call @max_pool_s8_2x2_s2x2(%0, %1) + [0, 0] with [2, 2, 4, 16, 4, 8, 4, 4, 4, 0, 0, -128, 127] : memref<64xi8>, memref<16xi8>
      }
    }
    fabric.place @s0 on 3 [] reads [0] from [0, 0, 0, 0] depth [1] writes [1] from [0, 0, 0, 0] constants []
    fabric.place @s1 on 0 ["a[0]"] reads [1] from [0, 0, 0, 0] depth [1] writes [2] from [0, 0, 0, 0] constants ["c5fa011fa95d7", "c6ba049c298f5", "cab06b8a85a52"]
    fabric.place @s1 on 1 ["a[1]"] reads [1] from [0, 0, 0, 0] depth [1] writes [2] from [0, 0, 0, 2] constants ["c9464d8f79f5d", "cc8841d49f3c6", "c9270e8dcd91d"]
    fabric.place @s2 on 2 ["y"] reads [2] from [0, 0, 0, 0] depth [4] writes [3] from [0, 0, 0, 0] constants []
  }
}
