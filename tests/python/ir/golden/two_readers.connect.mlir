builtin.module {
  fabric.mesh 4 host 0 {
    pe.program @p0 ["conv2d_s8_3x3_c2", "fill_s8", "weft_copy_rows"]
    fabric.tensor "x" tensor<1x4x4x2xi8>
    fabric.tensor "a" tensor<1x4x4x4xi8>
    fabric.tensor "b" tensor<1x4x4x4xi8>
    fabric.channel "in" "x" tensor 0 on 0 depth 2
    fabric.channel "out" "a" tensor 1 on 0 depth 2 at 256
    fabric.channel "out" "b" tensor 2 on 0 depth 2 at 384
    pe.shard @s0 scratch 128 {
      %0 = pe.slot "int8" [1, 4, 4, 2] at 12 every [62, 10, 2, 1] : memref<62xi8>
      %1 = pe.buffer "0.padded" live [1, 1] at 64 : memref<62xi8>
      %2 = pe.buffer "0" live [1, 3] at 0 : memref<64xi8>
      %3 = pe.buffer "1" live [2, 3] at 64 : memref<64xi8>
      %4 = pe.constant 0 : memref<72xi8>
      %5 = pe.constant 1 : memref<16xi8>
      %6 = pe.constant 2 : memref<16xi8>
      %7 = pe.constant 3 : memref<4xi8>
      pe.result %2 "int8" [1, 4, 4, 4] at 0 every [64, 16, 4, 1] : memref<64xi8>
      pe.result %3 "int8" [1, 4, 4, 4] at 0 every [64, 16, 4, 1] : memref<64xi8>
      pe.task "border" "in0" macs 0 {
        pe.call @fill_s8(%0) + [0] with [2, 10, 52, 9] : memref<62xi8>
        pe.call @fill_s8(%0) + [10] with [5, 2, 10, 9] : memref<62xi8>
      }
      pe.task "conv2d" "0" macs 1152 {
        pe.call @fill_s8(%1) + [0] with [2, 10, 52, -7] : memref<62xi8>
        pe.call @fill_s8(%1) + [10] with [5, 2, 10, -7] : memref<62xi8>
        pe.call @weft_copy_rows(%0, %1) + [12, 12] with [1, 1, 4, 8, 0, 0, 10, 0, 0, 10] : memref<62xi8>, memref<62xi8>
        pe.call @conv2d_s8_3x3_c2(%1, %4, %5, %6, %7, %2) + [0, 0, 0, 0, 0, 0] with [4, 4, 4, 10, 2, 16, 4, 3, -128, 127] : memref<62xi8>, memref<72xi8>, memref<16xi8>, memref<16xi8>, memref<4xi8>, memref<64xi8>
      }
      pe.task "conv2d" "1" macs 1152 {
        pe.call @conv2d_s8_3x3_c2(%0, %4, %5, %6, %7, %3) + [0, 0, 0, 0, 0, 0] with [4, 4, 4, 10, 2, 16, 4, 3, -128, 127] : memref<62xi8>, memref<72xi8>, memref<16xi8>, memref<16xi8>, memref<4xi8>, memref<64xi8>
      }
    }
    fabric.place @s0 on 0 ["a", "b"] reads [0] from [0, 0, 0, 0] depth [2] writes [1, 2] from [0, 0, 0, 0, 0, 0, 0, 0] constants ["w", "bias", "m", "s"] slots_at [128] constants_at [0, 72, 88, 104]
    fabric.routes [0, 0, -1, 0, 1, 1, 64, 0, 0, 0, 0, 0, 0, 0, 1, -1, 1, 1, 1, 64, 0, 0, 0, 0, 0, 0]
  }
}
