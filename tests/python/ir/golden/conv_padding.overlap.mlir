builtin.module {
  fabric.mesh 4 host 0 {
    fabric.tensor "x" tensor<1x4x5x2xi8>
    fabric.tensor "y" tensor<1x5x4x4xi8>
    fabric.channel "in" "x" tensor 0 on 0 depth 2
    fabric.channel "out" "y" tensor 1 on 0 depth 2
    pe.shard @s0 {
      %0 = pe.slot "int8" [1, 4, 5, 2] at 12 every [84, 12, 2, 1] : memref<84xi8>
      %1 = pe.buffer "0" live [1, 2] : memref<80xi8>
      %2 = pe.constant 0 : memref<72xi8>
      %3 = pe.constant 1 : memref<16xi8>
      %4 = pe.constant 2 : memref<16xi8>
      %5 = pe.constant 3 : memref<4xi8>
      pe.result %1 "int8" [1, 5, 4, 4] at 0 every [80, 16, 4, 1] : memref<80xi8>
      pe.task "border" "in0" macs 0 {
        pe.call @fill_s8(%0) + [0] with [1, 12, 0, -7] : memref<84xi8>
        pe.call @fill_s8(%0) + [22] with [3, 2, 12, -7] : memref<84xi8>
        pe.call @fill_s8(%0) + [58] with [1, 26, 0, -7] : memref<84xi8>
      }
      pe.task "conv2d" "0" macs 1440 {
        pe.call @conv2d_s8_3x3_c2(%0, %2, %3, %4, %5, %1) + [0, 0, 0, 0, 0, 0] with [5, 4, 4, 12, 2, 16, 4, 3, -128, 127] : memref<84xi8>, memref<72xi8>, memref<16xi8>, memref<16xi8>, memref<4xi8>, memref<80xi8>
      }
    }
    fabric.place @s0 on 0 ["y"] reads [0] from [0, 0, 0, 0] depth [2] writes [1] from [0, 0, 0, 0] constants ["w", "bias", "m", "s"]
  }
}
